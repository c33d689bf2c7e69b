import { PredictorError } from '../predictor-error.js'
import type { Prediction } from './prediction.js'

export interface BootstrapOptions {
  /** Uniform in [0, 1): a seeded one makes the interval repeatable. */
  readonly random: () => number
  /** Default 1000. */
  readonly resamples?: number
  /** Default 0.95. */
  readonly confidence?: number
}

export interface Interval {
  readonly low: number
  readonly high: number
  /** Resamples of which the metric could be told: not those of one class only. */
  readonly counted: number
}

/**
 * Percentile interval of a metric over groups: draws as many groups as there are, with replacement, takes all
 * predictions of each, and reads the interval off the metric's values. Sessions of one trace are not independent,
 * traces are. Source: Efron 1979; whole clusters as in Field and Welsh 2007.
 * @throws PredictorError `noPredictions` without predictions, `oneClass` where no resample had both classes,
 * `invalidOption`; what else the metric throws passes through
 */
export function bootstrapInterval(
  predictions: readonly Prediction[],
  metric: (sample: readonly Prediction[]) => number,
  { random, resamples = 1000, confidence = 0.95 }: BootstrapOptions,
): Interval {
  requireOptions(resamples, confidence)
  const groups = groupsOf(predictions)
  if (groups.length === 0)
    throw new PredictorError('noPredictions', 'a bootstrap needs at least one prediction, got none')
  const values: number[] = []
  for (let round = 0; round < resamples; round++) {
    const drawn = groups.flatMap(() => groups[Math.min(groups.length - 1, Math.floor(random() * groups.length))] ?? [])
    const value = unlessOneClass(() => metric(drawn))
    if (value !== undefined) values.push(value)
  }
  if (values.length === 0) throw new PredictorError('oneClass', `none of ${resamples} resamples had both classes`)
  values.sort((a, b) => a - b)
  const at = (share: number): number => values[Math.round(share * (values.length - 1))] ?? 0
  return { low: at((1 - confidence) / 2), high: at((1 + confidence) / 2), counted: values.length }
}

function requireOptions(resamples: number, confidence: number): void {
  if (!Number.isInteger(resamples) || resamples < 1) {
    throw new PredictorError('invalidOption', `resamples must be a whole number >= 1, got ${String(resamples)}`)
  }
  if (!(confidence > 0 && confidence < 1)) {
    throw new PredictorError('invalidOption', `confidence must be between 0 and 1, got ${String(confidence)}`)
  }
}

function groupsOf(predictions: readonly Prediction[]): Prediction[][] {
  const named = new Map<string, Prediction[]>()
  const alone: Prediction[][] = []
  for (const prediction of predictions) {
    if (prediction.group === undefined) alone.push([prediction])
    else if (named.get(prediction.group)?.push(prediction) === undefined) named.set(prediction.group, [prediction])
  }
  return [...named.values(), ...alone]
}

function unlessOneClass(of: () => number): number | undefined {
  try {
    return of()
  } catch (error) {
    if (error instanceof PredictorError && error.code === 'oneClass') return undefined
    throw error
  }
}
