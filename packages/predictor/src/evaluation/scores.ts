import { countFailures, type Prediction, requireBothClasses, requirePredictions } from './prediction.js'

/** Log-loss is infinite at a certain error: p is kept this far from 0 and 1. */
const LEAST_P = 1e-6

/**
 * Mean squared error of the probability: `mean((p - y)^2)`, y = 1 for failed. 0 is perfect.
 * Source: Brier 1950.
 * @throws PredictorError `noPredictions`, `invalidPrediction`
 */
export function brier(predictions: readonly Prediction[]): number {
  requirePredictions(predictions)
  return mean(predictions, ({ p, failed }) => (p - Number(failed)) ** 2)
}

/**
 * How much better than always saying the base rate b: `1 - Brier / (b (1 - b))`. 1 is perfect, 0 no better, below 0 worse.
 * Source: Murphy 1973.
 * @throws PredictorError `noPredictions`, `invalidPrediction`, `oneClass`
 */
export function brierSkill(predictions: readonly Prediction[]): number {
  requireBothClasses(predictions)
  const base = countFailures(predictions) / predictions.length
  return 1 - brier(predictions) / (base * (1 - base))
}

/**
 * Mean negative log-likelihood in nats: `-mean(y ln p + (1 - y) ln(1 - p))`, p kept within [1e-6, 1 - 1e-6].
 * Source: Good 1952.
 * @throws PredictorError `noPredictions`, `invalidPrediction`
 */
export function logLoss(predictions: readonly Prediction[]): number {
  requirePredictions(predictions)
  return mean(predictions, ({ p, failed }) => {
    const kept = Math.min(1 - LEAST_P, Math.max(LEAST_P, p))
    return -Math.log(failed ? kept : 1 - kept)
  })
}

function mean(predictions: readonly Prediction[], of: (prediction: Prediction) => number): number {
  return predictions.reduce((sum, prediction) => sum + of(prediction), 0) / predictions.length
}
