// Made by "npm run fit:predictor -- --links 120 --seed fit": maximum likelihood, no weight below 0, on 120 made-up
// links with 1, 2 and 3 stores and faults laid over them (23149, 22025, 20094, 9577, 1754 sessions). No recorded link was used.
/** Ages at which the weights were fitted: time since the start over the plan. */
export const AGES: readonly number[] = [0, 0.25, 0.5, 1, 1.75]

/** By age: the constant, then a weight for each of `FACTORS`: behind, linkNow, linkUsual, optimism, silence, server, straggle, late, link, storeDown. */
export const WEIGHTS: readonly (readonly number[])[] = [
  [-1.64, 0.11, 0.21, 0, 0.01, 0, 0, 0, 0.04, 0.06, 0.52],
  [-2.3, 0, 0.71, 0.47, 0, 2.51, 0, 0, 0.09, 0.02, 0.23],
  [-2.76, 1.62, 0.14, 0.51, 0, 2.51, 0.03, 0.05, 0.09, 0.07, 0.07],
  [-3.32, 3.6, 0.17, 0.19, 0.36, 1.93, 0.04, 0.22, 0.03, 0, 0],
  [-3.14, 4.05, 0.89, 0.09, 0.09, 0.27, 0.48, 0.33, 0.03, 0.07, 0],
]

/** By age: what is usual of each of `FACTORS`, the median of the sessions that came to no trouble. */
export const USUAL: readonly (readonly number[])[] = [
  [0.25, -0.86, -0.64, 0.02, 0, 1.36, -3.01, 0.85, -3.01, -1.4],
  [0.37, -0.42, -0.57, 0.02, 0, 1.34, -1.23, 1.79, -3.01, -1.12],
  [0.1, -0.92, -0.82, 0.02, 0, 1.04, -1.04, -0.03, -3.01, -0.94],
  [0.01, -1.85, -1.75, 0.03, 0, -0.02, -0.46, -3.01, -3.01, -0.69],
  [0.34, -0.4, -0.66, 0, 0, -0.06, -0.54, 4.1, -3.01, -0.46],
]
