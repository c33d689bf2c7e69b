import { PredictorError } from '../predictor-error.js'
import { byRisingRisk, countFailures, type Prediction, requirePredictions } from './prediction.js'

export interface AtCopyRate {
  /** Share of the failed sessions that were copied; undefined where none failed. */
  readonly recall: number | undefined
  /** Share of the copied sessions that failed; undefined where none is copied. */
  readonly precision: number | undefined
  /** The least p among those copied. */
  readonly threshold: number | undefined
}

/**
 * Recall and precision when the riskiest share of all sessions is copied: the `floor(share n)` highest ps. Where the
 * last places are tied, each of the tied counts by its chance of a place, so that no order of the input matters.
 * Source: METHODS, Risk (recall and precision at a 5 % hedge rate).
 * @throws PredictorError `noPredictions`, `invalidPrediction`, `invalidOption` for a share outside 0 to 1
 */
export function atCopyRate(predictions: readonly Prediction[], share: number): AtCopyRate {
  requirePredictions(predictions)
  if (!(share >= 0 && share <= 1)) {
    throw new PredictorError('invalidOption', `share must be from 0 to 1, got ${String(share)}`)
  }
  const sorted = byRisingRisk(predictions)
  const places = Math.floor(share * sorted.length)
  const threshold = sorted[sorted.length - places]?.p
  const failed = countFailures(sorted)
  if (threshold === undefined) return { recall: failed === 0 ? undefined : 0, precision: undefined, threshold }
  const above = sorted.filter(({ p }) => p > threshold)
  const tied = sorted.filter(({ p }) => p === threshold)
  const caught = countFailures(above) + (countFailures(tied) * (places - above.length)) / tied.length
  return { recall: failed === 0 ? undefined : caught / failed, precision: caught / places, threshold }
}
