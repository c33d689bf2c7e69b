import { anyOf, type Diagnosis, either } from './diagnosis.js'
import { percent, rate, seconds, times } from './reason-words.js'
import { contributions } from './risk-combination.js'
import { FACTORS, type FactorEvidence } from './risk-factors.js'
import type { Standing } from './session-course.js'

/** One factor of a risk. */
export interface Reason {
  readonly factor: ReasonFactor
  /** What it adds to the log-odds of the risk; below 0 what it takes from them. */
  readonly weight: number
  readonly text: string
}

export type ReasonFactor =
  /** Its own rate against the rate that the rest of twice the plan asks for. */
  | 'behind'
  /** The link's pace, now and usually, against the same. */
  | 'linkPace'
  /** The plan was made while the link was better, or worse, than usual. */
  | 'optimism'
  | 'silence'
  /** `server` or `connection`, whichever is likelier. */
  | 'stopped'
  | 'straggle'
  | 'late'
  | 'link'
  /** What the last outcomes say of the store. */
  | 'storeDown'
  /** Twice its plan is over. */
  | 'over'
  /** More was told of it earlier in the same silence, which only progress takes back. */
  | 'held'
  /** All that weighs too little to be told. */
  | 'rest'

export interface ReasonEvidence {
  readonly gapMs: number
  /** What its gaps are expected to be. */
  readonly usualGapMs: number
  /** Since a session of its store failed; undefined where none did. */
  readonly failedAgoMs: number | undefined
}

export interface Reasons {
  readonly usualLogOdds: number
  readonly because: readonly Reason[]
}

/** Guess: what moves the odds by less than a twentieth is told together. */
const LEAST_TOLD = 0.05
/** Log-odds of certainty: from here on a double cannot tell the probability from 1. */
const CERTAIN = 37
/** What no plan and no evidence come to: 1 in 1,000. */
const UNPLANNED_LOG_ODDS = Math.log(0.001 / 0.999)
const NEGLIGIBLE = 1e-9

const REASON_OF: { readonly [factor in (typeof FACTORS)[number]]: ReasonFactor } = {
  behind: 'behind',
  linkNow: 'linkPace',
  linkUsual: 'linkPace',
  optimism: 'optimism',
  silence: 'silence',
  server: 'stopped',
  straggle: 'straggle',
  late: 'late',
  link: 'link',
  storeDown: 'storeDown',
}

/** Of a risk that was combined from factors: each against what is usual at its age. */
export function reasonsByPlan(
  o: { risk: number; factors: readonly number[]; standing: Standing; evidence: FactorEvidence },
  more: ReasonEvidence,
): Reasons {
  const { risk, evidence, standing } = o
  const { base, weights } = contributions(o.factors, standing.age)
  const told = new Map<ReasonFactor, number>()
  for (const [n, factor] of FACTORS.entries()) {
    told.set(REASON_OF[factor], (told.get(REASON_OF[factor]) ?? 0) + (weights[n] ?? 0))
  }
  const isOver = standing.allowanceMs <= 0
  return complete({ risk, base, told, isOver }, (factor) => textOf(factor, { ...evidence, standing }, more))
}

/** Of a risk without a plan: each part by its share of `-ln(1 - risk)`. */
export function reasonsWithoutPlan(
  o: { risk: number; diagnosis: Diagnosis; evidence: FactorEvidence },
  more: ReasonEvidence,
): Reasons {
  const { linkState, allSilent, server, connection, straggle, slowTogether } = o.diagnosis
  const parts: [ReasonFactor, number][] = [
    ['link', either(linkState, allSilent)],
    ['stopped', either(server, connection)],
    // slowness is one part, whoever's it is
    ['straggle', straggle + slowTogether],
  ]
  const hazards = parts.map(([factor, p]): [ReasonFactor, number] => [factor, -Math.log1p(-Math.min(p, 1 - 1e-15))])
  const all = hazards.reduce((sum, [, hazard]) => sum + hazard, 0)
  const found = logOdds(anyOf(o.diagnosis))
  const base = Math.min(UNPLANNED_LOG_ODDS, found)
  const told = new Map(hazards.map(([factor, hazard]) => [factor, all > 0 ? ((found - base) * hazard) / all : 0]))
  return complete({ risk: o.risk, base, told, isOver: false }, (factor) =>
    textOf(factor, { ...o.evidence, standing: undefined }, more),
  )
}

/** With what is not the factors' doing, so that all add up, and in order. */
function complete(
  o: { risk: number; base: number; told: Map<ReasonFactor, number>; isOver: boolean },
  text: (factor: ReasonFactor) => string,
): Reasons {
  const sum = [...o.told.values()].reduce((before, weight) => before + weight, o.base)
  const beyond = logOdds(o.risk) - Math.min(CERTAIN, sum)
  const all = new Map(o.told)
  if (Math.abs(beyond) > NEGLIGIBLE) all.set(o.isOver ? 'over' : 'held', beyond)
  const little = [...all].filter(([, weight]) => Math.abs(weight) < LEAST_TOLD)
  for (const [factor] of little) all.delete(factor)
  const rest = little.reduce((before, [, weight]) => before + weight, 0)
  if (rest !== 0) all.set('rest', rest)
  const because = [...all]
    .sort(([, a], [, b]) => Math.abs(b) - Math.abs(a))
    .map(([factor, weight]) => ({ factor, weight, text: text(factor) }))
  return { usualLogOdds: o.base, because }
}

function logOdds(probability: number): number {
  return Math.min(CERTAIN, Math.max(-CERTAIN, Math.log(probability / (1 - probability))))
}

type TextEvidence = FactorEvidence & { readonly standing: Standing | undefined }

function textOf(factor: ReasonFactor, e: TextEvidence, more: ReasonEvidence): string {
  switch (factor) {
    case 'behind':
      return `needs ${needed(e)} for the rest, has ${rate(e.rate)}`
    case 'linkPace':
      return linkPace(e)
    case 'optimism':
      return `planned when the link gave ${percent(Math.exp(e.optimism))} of its usual pace`
    case 'silence':
      return `silent ${seconds(more.gapMs)}, ${times(more.gapMs / Math.max(1, more.usualGapMs))} its usual gap`
    case 'stopped':
      return `it, its server or its path has stopped: ${percent(e.server)}`
    case 'straggle':
      return `slow where others are not: ${percent(e.straggle)}`
    case 'late':
      return `takes over twice its plan at its rate and age: ${percent(e.late)}`
    case 'link':
      return `the link is bad: ${percent(e.link)}`
    case 'storeDown':
      return storeDown(e.storeDown, more.failedAgoMs)
    case 'over':
      return 'twice its plan is over'
    case 'held':
      return 'at more risk earlier in this silence'
    case 'rest':
      return 'all else'
  }
}

function needed({ standing, remainingBytes }: TextEvidence): string {
  return rate((remainingBytes / Math.max(1, standing?.allowanceMs ?? 1)) * 1000)
}

function linkPace(e: TextEvidence): string {
  const { shareNow, shareUsual } = e
  if (shareNow === undefined) return `needs ${needed(e)} for the rest, and nothing is known of the link's pace`
  const usual = shareUsual === undefined ? '' : `, ${rate(shareUsual)} usually`
  return `needs ${needed(e)} for the rest, its share of the link is ${rate(shareNow)} now${usual}`
}

function storeDown(p: number, failedAgoMs: number | undefined): string {
  if (failedAgoMs === undefined) return `no session of its store has failed: down with ${percent(p)}`
  return `its store failed ${seconds(failedAgoMs)} ago: down with ${percent(p)}`
}
