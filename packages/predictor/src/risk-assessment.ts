import { normalTail } from './normal-tail.js'

export interface RiskAssessment {
  /** P(the session fails or takes over twice its plan in all); without a plan, within the horizon. */
  risk: number
  /** The part that all sessions share: the last mile. */
  link: number
  /** The part of this server or its path, given that the link is good. */
  server: number
  /**
   * This connection alone waits for TCP's next try after an outage, while others move: a fresh one is the remedy. No
   * longer than the outage lasted; after that, or once its store leaves a question unanswered, it is `server`.
   */
  connection: number
  /** Alive, but slow against its own forecast and its peers. */
  straggle: number
  /** P(takes over twice its plan in all), whatever the cause; 0 while there is no plan. */
  late: number
  /** The same as recalibrated by the outcomes so far; as they are until there are 50. */
  calibrated: { readonly risk: number; readonly link: number; readonly server: number; readonly straggle: number }
  phi: number
  gapMs: number
  rateBytesPerSecond: number
  expectedRateBytesPerSecond: number
  expectedRemainingMs: number
  horizonMs: number
  /** What all that it is to send was planned to take, its start included; undefined without a plan. */
  plannedMs: number | undefined
  /** Why, weightiest first; texts are for event logs. */
  because: { factor: string; weight: number; text: string }[]
}

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
  /** How much likelier than usual its store is down, as the outcomes of its last sessions tell. */
  pStoreDownAboveUsual: number
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
  rateBytesPerSecond: number
  expectedRateBytesPerSecond: number
  expectedRemainingMs: number
  horizonMs: number
}

/** Guess: chance that a failure begins just now, before anything is seen. */
const SILENT_FAILURE_PRIOR = 0.02
/** Guess: what history alone can make of `server`; a copy needs more than memories. */
const MOST_FROM_HISTORY = 0.15
/** Guess: what load alone can make of it. */
const MOST_FROM_LOAD = 0.1
/** METHODS, finding 3: a straggler takes over twice its plan. */
const STRAGGLER_FACTOR = 2
/** Guess: spread of ln(rate / forecast) of a healthy session. */
const RATE_SIGMA = 0.35
/** Guess: what weighs less is not told among the reasons. */
const LEAST_TOLD = 0.01
/**
 * Guess: without peers, slowness is as likely the link's as the server's. A link that is full of our own bytes keeps small
 * requests waiting, one that a slow server leaves idle does not: an answer within one usual start says 3 : 1 server, one
 * that took three of them 1 : 3. No surer, for a queue that is fair to small requests hides a slow link.
 */
const PRIVATE_WITHOUT_PEERS = 0.5
const MOST_PRIVATE_ALONE = 0.75
const LEAST_PRIVATE_ALONE = 0.25

/**
 * The parts, set by hand, and their noisy or: `risk = 1 - (1 - link)(1 - server)(1 - connection)(1 - max(slow, late))`,
 * which stands where there is no plan to combine them by.
 * Being late is part of `risk` and not of `straggle`: whose fault it was is past, and what moves now needs no remedy.
 */
export function assessRisk(e: RiskEvidence): Omit<RiskAssessment, 'calibrated' | 'plannedMs'> {
  const linkAlone = either(e.pLinkNotGood, failureGivenSilence(e.silence.commonPhi))
  const unseen = either(Math.min(MOST_FROM_HISTORY, e.pFailure), MOST_FROM_LOAD * e.load)
  const server = either(unseen, failureGivenSilence(e.silence.witnessedPhi))
  const connection = failureGivenSilence(e.silence.excusedPhi)
  const overdue = e.planRatio === undefined ? 0 : pStraggles(e.planRatio) - pStraggles(1)
  const slowRate = e.slowness === undefined ? 0 : pStraggles(e.slowness.ratio) * e.slowness.trust
  const slow = Math.max(overdue, slowRate)
  const straggle = Math.max(privateSlowness(e, slowRate), overdue * witnessedShare(e.silence))
  const late = e.late ?? 0
  return {
    risk: probability(either(either(linkAlone, either(server, connection)), Math.max(slow, late))),
    link: probability(either(linkAlone, slow - straggle)),
    server: probability(server),
    connection: probability(connection),
    straggle: probability(straggle),
    late: probability(late),
    phi: e.silence.phi,
    gapMs: e.silence.gapMs,
    rateBytesPerSecond: e.rateBytesPerSecond,
    expectedRateBytesPerSecond: e.expectedRateBytesPerSecond,
    expectedRemainingMs: e.expectedRemainingMs,
    horizonMs: e.horizonMs,
    because: explain(e, straggle, slow),
  }
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
  return Math.min(slow, pStraggles(slowness.ratio / Math.min(1, Math.max(peersRatio, slowness.ratio))) * slowness.trust)
}

function privateShareAlone(answerStarts: number | undefined): number {
  if (answerStarts === undefined) return PRIVATE_WITHOUT_PEERS
  return Math.min(MOST_PRIVATE_ALONE, Math.max(LEAST_PRIVATE_ALONE, 1 - answerStarts / 4))
}

function explain(e: RiskEvidence, straggle: number, slow: number): RiskAssessment['because'] {
  const silent = (): string => `silent ${seconds(e.silence.gapMs)}`
  const factors: [factor: string, weight: number, text: () => string][] = [
    [
      'serverSilent',
      failureGivenSilence(e.silence.witnessedPhi),
      () => `${silent()}, ${seconds(e.silence.witnessedMs)} of it while others moved`,
    ],
    ['allSilent', failureGivenSilence(e.silence.commonPhi), () => `${silent()}, and no sign of life from elsewhere`],
    [
      'backOff',
      failureGivenSilence(e.silence.excusedPhi),
      () => `${silent()}, and waits for TCP's next try after the outage`,
    ],
    ['linkState', e.pLinkNotGood, () => `link bad with probability ${e.pLinkNotGood.toFixed(2)}`],
    ['slow', straggle, () => slownessText(e)],
    ['slowTogether', slow - straggle, () => `at ${shareOfForecast(e)} of its forecast, perhaps like everybody`],
    ['late', e.late ?? 0, () => 'likely to take over twice its plan'],
    ['load', MOST_FROM_LOAD * e.load, () => `busy to ${percent(e.load)}`],
    ['history', Math.min(MOST_FROM_HISTORY, e.pFailure), () => 'failures of this store so far'],
    ['storeDown', e.pStoreDownAboveUsual, () => 'its store failed a moment ago, and may be down'],
  ]
  return factors
    .filter(([, weight]) => weight >= LEAST_TOLD)
    .sort(([, a], [, b]) => b - a)
    .map(([factor, weight, text]) => ({ factor, weight, text: text() }))
}

function slownessText(e: RiskEvidence): string {
  const isOverdue = e.planRatio !== undefined && (e.slowness === undefined || e.planRatio < e.slowness.ratio)
  return isOverdue
    ? 'what is missing is overdue, while others answer'
    : `at ${shareOfForecast(e)} of its forecast while peers are not`
}

function shareOfForecast({ slowness }: RiskEvidence): string {
  return percent(slowness?.ratio ?? 1)
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

function either(a: number, b: number): number {
  return 1 - (1 - a) * (1 - b)
}

function probability(value: number): number {
  return Math.min(1, Math.max(0, value))
}
