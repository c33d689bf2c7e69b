import { logisticOf, type Prediction } from 'upload-predictor'
import { fitRidge } from './logistic.js'
import type { ObservedRun, ObservedSession, Seen } from './observed-run.js'

/** One session as all predictors saw it at one instant. */
export interface Case extends Seen {
  readonly trace: string
  readonly run: number
  readonly observed: ObservedSession
  readonly failed: boolean
  readonly cause: 'link' | 'server' | undefined
  /** Since the trouble's cause began: of stores a fault, of links a rate too low for the plan; negative or undefined before. */
  readonly begunSinceMs: number | undefined
}

export interface Predictor {
  readonly name: string
  /** What orders the cases. */
  readonly scoreOf: (one: Case) => number
  /** Probabilities, in the order of the cases; what is fitted for it is fitted on other traces. */
  readonly probabilities: (cases: readonly Case[]) => number[]
}

export function casesAt(runs: readonly ObservedRun[], instant: number): Case[] {
  return runs.flatMap(({ trace, run, sessions }) =>
    sessions.flatMap((observed) => {
      const seen = observed.instants[instant]
      if (!seen) return []
      const { session } = observed
      const cause = !session.failed ? undefined : session.faultAtMs === undefined ? 'link' : 'server'
      const beganMs = cause === 'server' ? session.faultAtMs : session.linkFaultAtMs
      const begunSinceMs = cause && beganMs !== undefined ? seen.atMs - beganMs : undefined
      return [{ trace, run, observed, ...seen, failed: session.failed, cause, begunSinceMs } satisfies Case]
    }),
  )
}

const logit = (p: number) => {
  const kept = Math.min(1 - 1e-6, Math.max(1e-6, p))
  return Math.log(kept / (1 - kept))
}

/** Fits on all traces but one, predicts that one; for each. */
function leaveOneTraceOut(cases: readonly Case[], features: (one: Case) => readonly number[]): number[] {
  const weights = new Map<string, number[]>()
  for (const trace of new Set(cases.map((one) => one.trace))) {
    const others = cases.filter((one) => one.trace !== trace)
    weights.set(trace, fitRidge(others.map((one) => ({ x: features(one), y: one.failed }))))
  }
  return cases.map((one) => logisticOf(weights.get(one.trace) ?? [], features(one)))
}

const ours: Predictor = {
  name: 'RiskModel',
  scoreOf: ({ scores }) => scores.risk,
  probabilities: (cases) => cases.map(({ scores }) => scores.risk),
}

const calibrated: Predictor = {
  name: 'RiskModel, calibrated by itself',
  scoreOf: ({ scores }) => scores.calibrated,
  probabilities: (cases) => cases.map(({ scores }) => scores.calibrated),
}

const recalibrated: Predictor = {
  name: 'RiskModel, Platt on other traces',
  scoreOf: ({ scores }) => scores.risk,
  probabilities: (cases) => leaveOneTraceOut(cases, ({ scores }) => [1, logit(scores.risk)]),
}

/** A plain score made a probability by logistic regression on its logarithm, as kindly as ours. */
function plain(name: string, scoreOf: (scores: Case['scores']) => number): Predictor {
  return {
    name,
    scoreOf: ({ scores }) => scoreOf(scores),
    probabilities: (cases) => leaveOneTraceOut(cases, ({ scores }) => [1, Math.log1p(scoreOf(scores))]),
  }
}

/** The AUC of what is fitted per trace is that of its probabilities. */
export const LOGISTIC = 'logistic regression'
const logistic: Predictor = {
  name: LOGISTIC,
  scoreOf: () => Number.NaN,
  probabilities: (cases) => leaveOneTraceOut(cases, ({ features }) => features),
}

export const PREDICTORS: readonly Predictor[] = [
  ours,
  calibrated,
  recalibrated,
  plain('RiskModel, server and straggle', ({ server }) => server),
  logistic,
  plain('phi alone', ({ phi }) => phi),
  plain('no-progress timer', ({ gapMs }) => gapMs),
  plain('p90 timeout', ({ p90 }) => p90),
  plain("Storj's rule", ({ storj }) => storj),
]

/** Our risk after Platt's map fitted on the first half of each trace's runs, of the second half. */
export function recalibratedOnFirstHalf(cases: readonly Case[], runs: number): Prediction[] {
  const features = ({ scores }: Case) => [1, logit(scores.risk)]
  const first = cases.filter(({ run }) => run < runs / 2)
  const weights = fitRidge(first.map((one) => ({ x: features(one), y: one.failed })))
  return cases
    .filter(({ run }) => run >= runs / 2)
    .map((one) => ({ p: logisticOf(weights, features(one)), failed: one.failed, group: one.trace }))
}
