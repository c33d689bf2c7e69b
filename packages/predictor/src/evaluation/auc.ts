import { byRisingRisk, countFailures, type Prediction, requireBothClasses } from './prediction.js'

/**
 * Area under the ROC curve: P(a failed session was given the higher p than a healthy one), ties counting half.
 * `AUC = (R - n1 (n1 + 1) / 2) / (n1 n0)`, R the sum of the failed ones' ranks, ties at their mean rank.
 * Source: Mann and Whitney 1947; Hanley and McNeil 1982. 0.5 says nothing, 1 tells all apart.
 * @throws PredictorError `noPredictions`, `invalidPrediction`, `oneClass`
 */
export function auc(predictions: readonly Prediction[]): number {
  requireBothClasses(predictions)
  const sorted = byRisingRisk(predictions)
  let rankSum = 0
  for (let from = 0; from < sorted.length; ) {
    let to = from
    let failures = 0
    for (; to < sorted.length && sorted[to]?.p === sorted[from]?.p; to++) failures += sorted[to]?.failed ? 1 : 0
    rankSum += failures * ((from + 1 + to) / 2)
    from = to
  }
  const failed = countFailures(sorted)
  return (rankSum - (failed * (failed + 1)) / 2) / (failed * (sorted.length - failed))
}
