/** `logit p' = slope logit p + intercept`: what a risk of p turned out to mean. */
export interface Recalibration {
  readonly slope: number
  readonly intercept: number
}

export const IDENTITY: Recalibration = { slope: 1, intercept: 0 }

/** Guess: pulls towards the identity with the weight of so many observations; keeps separable data finite. */
const PRIOR_WEIGHT = 4
/** A map that turns the order round would be nonsense. */
const LEAST_SLOPE = 0.05
const MOST_LOGIT = 12
const ROUNDS = 50

/**
 * Platt scaling by Newton steps on the penalised log-likelihood. Source: Platt 1999; METHODS, Risk (recalibration).
 * The penalty `PRIOR_WEIGHT / 2 ((slope - 1)^2 + intercept^2)` is the prior's.
 */
export function fitRecalibration(predictions: readonly { p: number; failed: boolean }[]): Recalibration {
  const points = predictions.map(({ p, failed }) => ({ x: logit(p), y: failed ? 1 : 0 }))
  let { slope, intercept } = IDENTITY
  for (let round = 0; round < ROUNDS; round++) {
    let [gs, gi] = [PRIOR_WEIGHT * (slope - 1), PRIOR_WEIGHT * intercept]
    let [ss, si, ii] = [PRIOR_WEIGHT, 0, PRIOR_WEIGHT]
    for (const { x, y } of points) {
      const p = sigmoid(slope * x + intercept)
      const w = p * (1 - p)
      gs += (p - y) * x
      gi += p - y
      ss += w * x * x
      si += w * x
      ii += w
    }
    const determinant = ss * ii - si * si
    const stepSlope = limited((gs * ii - gi * si) / determinant)
    const stepIntercept = limited((gi * ss - gs * si) / determinant)
    slope -= stepSlope
    intercept -= stepIntercept
    if (Math.abs(stepSlope) + Math.abs(stepIntercept) < 1e-9) break
  }
  return { slope: Math.max(LEAST_SLOPE, slope), intercept }
}

/** Keeps the order of risks, and stays within 0 and 1. */
export function recalibrate(p: number, { slope, intercept }: Recalibration): number {
  return sigmoid(slope * logit(p) + intercept)
}

/** Newton's step may overshoot far from the optimum. */
function limited(step: number): number {
  return Math.max(-1, Math.min(1, step))
}

function logit(p: number): number {
  return Math.max(-MOST_LOGIT, Math.min(MOST_LOGIT, Math.log(p / (1 - p))))
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x))
}
