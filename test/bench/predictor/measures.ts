import { seededRandom } from 'reconcile-test-support/links/seeded-random'
import {
  atCopyRate,
  bootstrapInterval,
  brier,
  brierSkill,
  expectedCalibrationError,
  logLoss,
  type Prediction,
  type ReliabilityBin,
  reliabilityBins,
} from 'upload-predictor'
import { countPairs, type Estimate, estimateAuc, estimateGain, type PairCounts } from './auc-over-traces.js'
import { INSTANTS, type ObservedRun } from './observed-run.js'
import { type Case, casesAt, LOGISTIC, PREDICTORS, type Predictor, recalibratedOnFirstHalf } from './predictors.js'

/** METHODS, Risk: a hedge rate of 5 %. */
const COPY_RATE = 0.05
/** Trouble counts as seen once it began so long before. */
const BEGUN_MS = 1_000
const RESAMPLES = 200

/** Which of the troubled count, beside all healthy sessions. */
const SPLITS: readonly { readonly name: string; readonly has: (one: Case) => boolean }[] = [
  { name: 'all', has: () => true },
  { name: 'server-caused', has: ({ cause }) => cause === 'server' },
  { name: 'link-caused', has: ({ cause }) => cause === 'link' },
  { name: 'begun 1 s before', has: isBegun },
  { name: 'not yet begun', has: (one) => !isBegun(one) },
  { name: 'server-caused, begun', has: (one) => one.cause === 'server' && isBegun(one) },
  { name: 'server-caused, not yet', has: (one) => one.cause === 'server' && !isBegun(one) },
  { name: 'link-caused, begun', has: (one) => one.cause === 'link' && isBegun(one) },
]

export interface PredictorRow {
  readonly instant: number
  readonly predictor: string
  readonly auc: Estimate | undefined
  /** Its AUC less that of logistic regression. */
  readonly gain: Estimate | undefined
  readonly brier: number
  readonly skill: number
  readonly logLoss: number
  readonly ece: number
  readonly recall: number | undefined
  readonly precision: number | undefined
}

export interface SplitRow {
  readonly instant: number
  readonly split: string
  readonly troubled: number
  readonly aucs: { readonly predictor: string; readonly auc: Estimate | undefined }[]
}

export interface InstantMeasures {
  readonly instant: number
  readonly cases: number
  readonly troubled: number
  readonly rows: PredictorRow[]
  readonly splits: SplitRow[]
  /** Ours, recalibrated on the first half of the runs, of the second half. */
  readonly ece: Estimate
  readonly bins: ReliabilityBin[]
  /** AUC by trace, of ours and of logistic regression. */
  readonly traces: {
    readonly trace: string
    readonly cases: number
    readonly troubled: number
    readonly aucs: number[]
  }[]
}

export const TRACE_COLUMNS: readonly string[] = ['RiskModel', LOGISTIC, 'phi alone', 'no-progress timer']

export function measureInstants(
  runs: readonly ObservedRun[],
  o: { seed: string; runsPerTrace: number },
): InstantMeasures[] {
  const traces = [...new Set(runs.map(({ trace }) => trace))]
  return INSTANTS.map((instant, at) => {
    const cases = casesAt(runs, at)
    const judged = PREDICTORS.map((predictor) => judge(predictor, cases))
    const random = () => seededRandom(`${o.seed}/bootstrap/${instant}`)
    const pairsOf = (scores: readonly number[], has: (one: Case) => boolean) => countCases(cases, scores, traces, has)
    const reference = judged.find(({ predictor }) => predictor.name === LOGISTIC)?.scores ?? []
    const second = recalibratedOnFirstHalf(cases, o.runsPerTrace)
    return {
      instant,
      cases: cases.length,
      troubled: cases.filter(({ failed }) => failed).length,
      rows: judged.map(({ predictor, scores, predictions }) => ({
        instant,
        predictor: predictor.name,
        auc: estimateAuc(
          pairsOf(scores, () => true),
          random(),
        ),
        gain: estimateGain(
          pairsOf(scores, () => true),
          pairsOf(reference, () => true),
          random(),
        ),
        ...scoresOf(predictions),
      })),
      splits: SPLITS.map(({ name, has }) => ({
        instant,
        split: name,
        troubled: cases.filter((one) => one.failed && has(one)).length,
        aucs: judged.map(({ predictor, scores }) => ({
          predictor: predictor.name,
          auc: estimateAuc(pairsOf(scores, has), random()),
        })),
      })),
      ece: withInterval(second, expectedCalibrationError, random()),
      bins: reliabilityBins(second),
      traces: traces.map((trace) => byTrace(trace, cases, judged)),
    }
  })
}

/** Ours at all instants together, recalibrated as in `InstantMeasures.ece`. */
export function measureReliability(runs: readonly ObservedRun[], runsPerTrace: number): ReliabilityBin[] {
  return reliabilityBins(INSTANTS.flatMap((_, at) => recalibratedOnFirstHalf(casesAt(runs, at), runsPerTrace)))
}

interface Judged {
  readonly predictor: Predictor
  readonly scores: readonly number[]
  readonly predictions: readonly Prediction[]
}

function judge(predictor: Predictor, cases: readonly Case[]): Judged {
  const ps = predictor.probabilities(cases)
  const isFitted = predictor.name === LOGISTIC
  return {
    predictor,
    scores: isFitted ? ps : cases.map(predictor.scoreOf),
    predictions: cases.map((one, at) => ({ p: ps[at] ?? Number.NaN, failed: one.failed, group: one.trace })),
  }
}

function scoresOf(predictions: readonly Prediction[]) {
  const { recall, precision } = atCopyRate(predictions, COPY_RATE)
  return {
    brier: brier(predictions),
    skill: brierSkill(predictions),
    logLoss: logLoss(predictions),
    ece: expectedCalibrationError(predictions),
    recall,
    precision,
  }
}

function isBegun({ begunSinceMs }: Case): boolean {
  return begunSinceMs !== undefined && begunSinceMs >= BEGUN_MS
}

/** Troubled cases of the split, and every healthy one. */
function countCases(
  cases: readonly Case[],
  scores: readonly number[],
  traces: readonly string[],
  has: (one: Case) => boolean,
): PairCounts {
  const scored = cases.flatMap((one, at) => {
    if (one.failed && !has(one)) return []
    return [{ score: scores[at] ?? 0, failed: one.failed, trace: one.trace }]
  })
  return countPairs(scored, traces)
}

function byTrace(trace: string, cases: readonly Case[], judged: readonly Judged[]) {
  const own = cases.filter((one) => one.trace === trace)
  return {
    trace,
    cases: own.length,
    troubled: own.filter(({ failed }) => failed).length,
    aucs: TRACE_COLUMNS.map((name) => {
      const scores = judged.find(({ predictor }) => predictor.name === name)?.scores ?? []
      return (
        estimateAuc(
          countCases(cases, scores, [trace], () => true),
          () => 0,
        )?.value ?? Number.NaN
      )
    }),
  }
}

function withInterval(
  predictions: readonly Prediction[],
  metric: (sample: readonly Prediction[]) => number,
  random: () => number,
): Estimate {
  const { low, high } = bootstrapInterval(predictions, metric, { random, resamples: RESAMPLES })
  return { value: metric(predictions), low, high }
}
