/** Coefficients of the rational Chebyshev fit of erfc, relative error < 1.2e-7 everywhere (Numerical Recipes, 6.2, erfcc). */
const ERFC = [
  -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223,
  0.17087277,
] as const

/** ln erfc(x) for x >= 0, with no underflow: erfc(x) = t exp(-x² + P(t)), t = 1 / (1 + x/2). */
function logErfc(x: number): number {
  const t = 1 / (1 + x / 2)
  let polynomial = 0
  for (let power = ERFC.length - 1; power >= 0; power--) polynomial = polynomial * t + (ERFC[power] ?? 0)
  return Math.log(t) - x * x + polynomial
}

/** ln P(Z > z) of a standard normal Z, accurate far beyond where the probability itself underflows. Never above 0. */
export function logNormalTail(z: number): number {
  const x = Math.abs(z) / Math.SQRT2
  if (z >= 0) return Math.min(0, logErfc(x) - Math.LN2)
  return Math.min(0, Math.log1p(-Math.exp(logErfc(x)) / 2))
}

/** log10 P(Z > z). */
export function log10NormalTail(z: number): number {
  return logNormalTail(z) / Math.LN10
}

/** P(Z > z) of a standard normal Z. */
export function normalTail(z: number): number {
  return Math.exp(logNormalTail(z))
}
