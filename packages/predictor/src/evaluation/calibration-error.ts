import { PredictorError } from '../predictor-error.js'
import { byRisingRisk, countFailures, type Prediction, requirePredictions } from './prediction.js'

/** METHODS, Risk: ten bins of equal count. */
const BINS = 10

export interface ReliabilityBin {
  readonly count: number
  /** Mean p of the bin. */
  readonly predicted: number
  /** Share of the bin that failed. */
  readonly observed: number
  readonly leastP: number
  readonly mostP: number
}

/**
 * Predictions by rising p in bins of equal count (sizes differ by one at most; fewer bins than asked where there are
 * fewer predictions). Where an edge cuts through equal ps, each side gets its share of their failures, so that no order of
 * the input matters.
 * Source: Murphy and Winkler 1977; equal counts as in Nguyen and O'Connor 2015.
 * @throws PredictorError `noPredictions`, `invalidPrediction`, `invalidOption` for a count of bins that is no whole number from 1
 */
export function reliabilityBins(predictions: readonly Prediction[], bins: number = BINS): ReliabilityBin[] {
  requirePredictions(predictions)
  if (!Number.isInteger(bins) || bins < 1) {
    throw new PredictorError('invalidOption', `bins must be a whole number >= 1, got ${String(bins)}`)
  }
  const sorted = withTiesShared(byRisingRisk(predictions))
  const count = Math.min(bins, sorted.length)
  return Array.from({ length: count }, (_, bin) => {
    const edge = (of: number): number => Math.floor((of * sorted.length) / count)
    return describe(sorted.slice(edge(bin), edge(bin + 1)))
  })
}

/**
 * Expected calibration error: `sum(n_b / n |predicted_b - observed_b|)` over ten bins of equal count. 0 is perfect.
 * Source: Naeini, Cooper and Hauskrecht 2015.
 * @throws PredictorError as `reliabilityBins`
 */
export function expectedCalibrationError(predictions: readonly Prediction[], bins: number = BINS): number {
  return reliabilityBins(predictions, bins).reduce(
    (sum, { count, predicted, observed }) => sum + (count / predictions.length) * Math.abs(predicted - observed),
    0,
  )
}

interface Shared {
  readonly p: number
  /** Share of the predictions of this very p that failed. */
  readonly failedShare: number
}

function withTiesShared(sorted: readonly Prediction[]): Shared[] {
  const shared: Shared[] = []
  for (let from = 0; from < sorted.length; ) {
    const p = sorted[from]?.p ?? 0
    let to = from + 1
    while (to < sorted.length && sorted[to]?.p === p) to++
    const failedShare = countFailures(sorted.slice(from, to)) / (to - from)
    for (; from < to; from++) shared.push({ p, failedShare })
  }
  return shared
}

function describe(bin: readonly Shared[]): ReliabilityBin {
  const mean = (of: (one: Shared) => number): number => bin.reduce((sum, one) => sum + of(one), 0) / bin.length
  return {
    count: bin.length,
    predicted: mean(({ p }) => p),
    observed: mean(({ failedShare }) => failedShare),
    leastP: bin[0]?.p ?? 0,
    mostP: bin.at(-1)?.p ?? 0,
  }
}
