import { fitLogistic, logistic, type WeightPrior } from '../logistic.js'

/** `logit p' = slope logit p + intercept`: what a risk of p turned out to mean. */
export interface Recalibration {
  readonly slope: number
  readonly intercept: number
}

export const IDENTITY: Recalibration = { slope: 1, intercept: 0 }

/** Guess: the identity weighs as much as so many observations of middling risks; keeps separable data finite. */
const PRIOR_WEIGHT = 4
const PRIORS: readonly WeightPrior[] = [
  { mean: IDENTITY.intercept, strength: PRIOR_WEIGHT },
  { mean: IDENTITY.slope, strength: PRIOR_WEIGHT },
]
/** A map that turns the order round would be nonsense. */
const LEAST_SLOPE = 0.05
const MOST_LOGIT = 12

/**
 * Platt scaling: logistic regression on the logit of what was said, drawn towards the identity.
 * Source: Platt 1999; METHODS, Risk (recalibration). Without predictions: the identity.
 */
export function fitRecalibration(predictions: readonly { p: number; failed: boolean }[]): Recalibration {
  const samples = predictions.map(({ p, failed }) => ({ x: [1, logit(p)], y: failed }))
  const [intercept = IDENTITY.intercept, slope = IDENTITY.slope] = fitLogistic(samples, PRIORS)
  return { slope: Math.max(LEAST_SLOPE, slope), intercept }
}

/** Keeps the order of risks, and stays within 0 and 1. */
export function recalibrate(p: number, { slope, intercept }: Recalibration): number {
  return logistic(slope * logit(p) + intercept)
}

function logit(p: number): number {
  return Math.max(-MOST_LOGIT, Math.min(MOST_LOGIT, Math.log(p / (1 - p))))
}
