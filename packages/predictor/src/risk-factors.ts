import { logistic } from './logistic.js'
import type { Standing } from './session-course.js'

/** What `risk` is combined from, in the order of the weights. Each rises with what speaks for trouble; 0 says nothing. */
export const FACTORS = [
  /** Share of its allowance that it would overrun at its own rate: logistic in ln(needed / own rate). */
  'behind',
  /** ln(needed rate / a share of the link's pace now), and of its usual pace. */
  'linkNow',
  'linkUsual',
  /** ln(the link's recent / its usual pace) at the start: the plan was made of the recent one. */
  'optimism',
  /** ln(1 + phi), phi capped. */
  'silence',
  /** Log-odds, with those of a session of which nothing is known as 0. */
  'server',
  'straggle',
  'late',
  'link',
  'storeDown',
] as const

export interface FactorEvidence {
  remainingBytes: number
  /** Bytes per second. */
  rate: number
  /** An equal share of what all sessions get, bytes per second; undefined while not known. */
  shareNow: number | undefined
  shareUsual: number | undefined
  optimism: number
  phi: number
  /** Probabilities. `server`: of the connection, where that is likelier. */
  server: number
  straggle: number
  late: number
  link: number
  storeDown: number
}

/** METHODS, Risk (combination): phi is capped at 5. */
const MOST_PHI = 5
/** Guess: a session needs a third more than its allowance gives to be as likely late as not, and a factor e more decides (chosen on synthetic links). */
const BEHIND_STEEPNESS = 3
const BEHIND_MIDDLE = -0.3
/** Guess: beyond these, ln of a ratio of rates says nothing more. */
const LEAST_LOG = -3
const MOST_LOG = 4
/** Guess: no probability speaks louder than one in a thousand. */
const LEAST_CHANCE = 0.001
/** Guess: what one is told of a session without any history; only where the scale begins. */
const USUAL_ODDS = Math.log(0.02 / 0.98)

/** Linear in log-odds and in ln of rates, as logistic regression takes them. Source: METHODS, Risk (combination). */
export function factorsOf(standing: Standing, e: FactorEvidence): number[] {
  const neededRate = (e.remainingBytes / Math.max(1, standing.allowanceMs)) * 1000
  const overrun = (rate: number | undefined): number => (rate === undefined ? 0 : logRatio(neededRate, rate))
  return [
    logistic(BEHIND_STEEPNESS * (overrun(e.rate) - BEHIND_MIDDLE)),
    overrun(e.shareNow),
    overrun(e.shareUsual),
    e.optimism,
    Math.log1p(Math.min(MOST_PHI, e.phi)),
    odds(e.server),
    odds(e.straggle),
    odds(e.late),
    odds(e.link),
    odds(e.storeDown),
  ]
}

/** Bounded, so that no rate of zero decides alone. */
export function logRatio(a: number, b: number): number {
  if (a <= 0) return LEAST_LOG
  return Math.min(MOST_LOG, Math.max(LEAST_LOG, Math.log(a / Math.max(b, Number.MIN_VALUE))))
}

function odds(probability: number): number {
  const kept = Math.min(1 - LEAST_CHANCE, Math.max(LEAST_CHANCE, probability))
  return Math.log(kept / (1 - kept)) - USUAL_ODDS
}
