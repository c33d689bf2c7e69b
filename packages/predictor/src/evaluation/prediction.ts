import { PredictorError } from '../predictor-error.js'

/** What was predicted of one session, and what became of it. */
export interface Prediction {
  /** P(the session fails or straggles), 0 to 1. */
  readonly p: number
  readonly failed: boolean
  /** What belongs together, such as a trace: a bootstrap draws whole groups. Without one, a prediction stands alone. */
  readonly group?: string
}

/** @throws PredictorError `noPredictions` for an empty list, `invalidPrediction` for a `p` that is no probability */
export function requirePredictions(predictions: readonly Prediction[]): void {
  if (predictions.length === 0) {
    throw new PredictorError('noPredictions', 'a metric needs at least one prediction, got none')
  }
  for (const [index, { p }] of predictions.entries()) {
    if (p >= 0 && p <= 1) continue
    throw new PredictorError('invalidPrediction', `p must be from 0 to 1, got ${String(p)} at index ${index}`)
  }
}

/** @throws PredictorError `oneClass` where all failed or none did, besides those of `requirePredictions` */
export function requireBothClasses(predictions: readonly Prediction[]): void {
  requirePredictions(predictions)
  const failures = countFailures(predictions)
  if (failures > 0 && failures < predictions.length) return
  const what = failures === 0 ? 'no session failed' : 'every session failed'
  throw new PredictorError(
    'oneClass',
    `${what} of ${predictions.length}: this metric compares failed with healthy ones`,
  )
}

export function countFailures(predictions: readonly Prediction[]): number {
  return predictions.reduce((sum, { failed }) => sum + (failed ? 1 : 0), 0)
}

/** A copy, by rising `p`. */
export function byRisingRisk(predictions: readonly Prediction[]): Prediction[] {
  return predictions.toSorted((a, b) => a.p - b.p)
}
