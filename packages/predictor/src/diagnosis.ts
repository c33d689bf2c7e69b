import { normalTail } from './normal-tail.js'
import { STRAGGLER_FACTOR } from './straggler.js'

/** How long a session says nothing, and how unlikely that is while nothing is wrong (phi). */
export interface SilenceEvidence {
  gapMs: number
  phi: number
  /** Phi of the silence during which others showed the link alive. */
  witnessedPhi: number
  witnessedMs: number
  /** Phi of such silence as TCP's back-off after an outage explains. */
  excusedPhi: number
  /** Phi of the silence of everybody. */
  commonPhi: number
}

export interface RiskEvidence {
  silence: SilenceEvidence
  pLinkNotGood: number
  /** How busy this server is, 0 to 1: what it reports, and what queues at it alone. */
  load: number
  /** P(failure within the horizon) from the store's history. */
  pFailure: number
  /** Rate over forecast; undefined while not known. */
  slowness: { ratio: number; trust: number } | undefined
  /** Planned time of what is missing over the least it can take now; undefined without a forecast. */
  planRatio: number | undefined
  /** P(takes over twice its plan in all); undefined without a plan. */
  late: number | undefined
  /** Median of slowness' ratio among other stores' sessions; undefined without such peers. */
  peersRatio: number | undefined
  /** Without such peers: how long the promptest answer on a new connection took lately, in usual starts. */
  answerStarts: number | undefined
}

/** What is wrong at this moment, as probabilities, and what each is made of by noisy or. */
export interface Diagnosis {
  readonly link: number
  readonly server: number
  readonly connection: number
  readonly straggle: number
  readonly late: number
  /** `link`: P(the link is bad), P(all are silent for a fault), slowness that may be everybody's. */
  readonly linkState: number
  readonly allSilent: number
  readonly slowTogether: number
  /** `server`: silence that others witnessed, failures so far, load. */
  readonly serverSilent: number
  readonly history: number
  readonly load: number
  /** Whether slowness is told by what is overdue, not by the rate. */
  readonly isOverdue: boolean
}

/** Guess: chance that a failure begins just now, before anything is seen. */
const SILENT_FAILURE_PRIOR = 0.02
/** Guess: what history alone can make of `server`; a copy needs more than memories. */
const MOST_FROM_HISTORY = 0.15
/** Guess: what load alone can make of it. */
const MOST_FROM_LOAD = 0.1
/** Guess: spread of ln(rate / forecast) of a healthy session. */
const RATE_SIGMA = 0.35
/**
 * Guess: without peers, slowness is as likely the link's as the server's. A link that is full of our own bytes keeps small
 * requests waiting, one that a slow server leaves idle does not: an answer within one usual start says 3 : 1 server, one
 * that took three of them 1 : 3. No surer, for a queue that is fair to small requests hides a slow link.
 */
const PRIVATE_WITHOUT_PEERS = 0.5
const MOST_PRIVATE_ALONE = 0.75
const LEAST_PRIVATE_ALONE = 0.25

/** What is wrong now, by constants set by hand. More silence of a kind never lowers the part that it speaks for. */
export function diagnose(e: RiskEvidence): Diagnosis {
  const allSilent = failureGivenSilence(e.silence.commonPhi)
  const history = Math.min(MOST_FROM_HISTORY, e.pFailure)
  const load = MOST_FROM_LOAD * e.load
  const serverSilent = failureGivenSilence(e.silence.witnessedPhi)
  const overdue = e.planRatio === undefined ? 0 : pStraggles(e.planRatio) - pStraggles(1)
  const slowRate = e.slowness === undefined ? 0 : pStraggles(e.slowness.ratio) * e.slowness.trust
  const slow = Math.max(overdue, slowRate)
  const straggle = Math.max(privateSlowness(e, slowRate), overdue * witnessedShare(e.silence))
  const slowTogether = Math.max(0, slow - straggle)
  return {
    link: probability(either(either(e.pLinkNotGood, allSilent), slowTogether)),
    server: probability(either(either(history, load), serverSilent)),
    connection: probability(failureGivenSilence(e.silence.excusedPhi)),
    straggle: probability(straggle),
    late: probability(e.late ?? 0),
    linkState: e.pLinkNotGood,
    allSilent,
    slowTogether,
    serverSilent,
    history,
    load,
    isOverdue: overdue > slowRate,
  }
}

/** `1 - (1 - linkState)(1 - allSilent)(1 - server)(1 - connection)(1 - slow)`: the risk where there is no plan to combine the parts by. */
export function anyOf({ linkState, allSilent, server, connection, straggle, slowTogether }: Diagnosis): number {
  const slow = straggle + slowTogether
  return probability(either(either(either(linkState, allSilent), slow), either(server, connection)))
}

export function either(a: number, b: number): number {
  return 1 - (1 - a) * (1 - b)
}

/** Bayes: P(failed | silent so long), a failed session being silent for sure. 0 at phi 0, rising to 1. */
function failureGivenSilence(phi: number): number {
  const chanceWhenHealthy = 10 ** -phi
  const failed = SILENT_FAILURE_PRIOR * (1 - chanceWhenHealthy)
  return failed / (failed + chanceWhenHealthy * (1 - SILENT_FAILURE_PRIOR))
}

/** P(true rate < forecast / 2 | ratio seen), ln ratio being N(., RATE_SIGMA). */
function pStraggles(ratio: number): number {
  return normalTail((Math.log(Math.max(ratio, Number.MIN_VALUE)) + Math.log(STRAGGLER_FACTOR)) / RATE_SIGMA)
}

/** How much of the silence others showed the link alive. */
function witnessedShare({ witnessedMs, gapMs }: SilenceEvidence): number {
  return gapMs === 0 ? 0 : Math.min(1, witnessedMs / gapMs)
}

/** The slowness that peers do not share. */
function privateSlowness({ slowness, peersRatio, answerStarts }: RiskEvidence, slow: number): number {
  if (slowness === undefined) return 0
  if (peersRatio === undefined) return slow * privateShareAlone(answerStarts)
  // as slow as peers is not slow, even at a standstill
  const own = Math.max(slowness.ratio, Number.MIN_VALUE)
  return Math.min(slow, pStraggles(own / Math.min(1, Math.max(peersRatio, own))) * slowness.trust)
}

function privateShareAlone(answerStarts: number | undefined): number {
  if (answerStarts === undefined) return PRIVATE_WITHOUT_PEERS
  return Math.min(MOST_PRIVATE_ALONE, Math.max(LEAST_PRIVATE_ALONE, 1 - answerStarts / 4))
}

function probability(value: number): number {
  return Math.min(1, Math.max(0, value))
}
