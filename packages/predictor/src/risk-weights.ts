// Made by "npm run fit:predictor -- --links 120 --seed fit": maximum likelihood, no weight below 0, on 120 made-up
// links with 1, 2 and 3 stores and faults laid over them (23149, 22025, 20094, 9577, 1754 sessions). No recorded link was used.
/** Ages at which the weights were fitted: time since the start over the plan. */
export const AGES: readonly number[] = [0, 0.25, 0.5, 1, 1.75]

/** By age: the constant, then a weight for each of `FACTORS`: behind, linkNow, linkUsual, optimism, silence, server, straggle, late, link, storeDown. */
export const WEIGHTS: readonly (readonly number[])[] = [
  [-1.64, 0.11, 0.21, 0, 0.01, 0, 0, 0, 0.04, 0.06, 0.52],
  [-2.3, 0, 0.71, 0.47, 0, 2.37, 0, 0, 0.09, 0.02, 0.23],
  [-2.84, 1.75, 0.1, 0.54, 0, 2.38, 0.06, 0.04, 0.09, 0.08, 0.05],
  [-3.3, 3.63, 0.16, 0.21, 0.35, 1.93, 0, 0.22, 0.04, 0, 0],
  [-3.13, 4.06, 0.89, 0.09, 0.09, 0.27, 0.48, 0.33, 0.03, 0.07, 0],
]
