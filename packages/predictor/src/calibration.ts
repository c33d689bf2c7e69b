import { requireQuantity } from './predictor-error.js'

/** Ten bins; rare events need narrow ones below (guess: by about the powers of two). */
const EDGES = [0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9]
/** No outcome changes an answer before there are so many (guess); full weight at twice as many. */
const IDENTITY_OUTCOMES = 50
/** Guess: each bin holds so many outcomes that came as predicted. */
const PRIOR_OUTCOMES = 4
/** Guess: the memory, in outcomes. */
export const MEMORY_OUTCOMES = 500

export const BINS: number = EDGES.length + 1

interface Bin {
  outcomes: number
  /** Sum of what was predicted, and of what came. */
  predicted: number
  happened: number
}

/** Faded sums of ten bins: outcomes, predicted, happened. */
export interface KnownCalibration {
  readonly outcomes: number
  readonly bins: readonly (readonly [number, number, number])[]
}

/**
 * Online recalibration of a probability: isotonic regression of what came on what was predicted in ten bins, by pooling
 * adjacent violators, linear between the bins and from (0, 0) to (1, 1). Source: METHODS, Risk (combination); Zadrozny and
 * Elkan 2002. Never decreasing, always in [0, 1]. Cold start: identity until 50 outcomes, then by degrees until 100.
 */
export class Calibration {
  readonly #bins: Bin[]
  #outcomes: number
  /** Undefined when there are outcomes since it was last asked for. */
  #curve: readonly (readonly [number, number])[] | undefined

  constructor(known?: KnownCalibration) {
    this.#outcomes = known?.outcomes ?? 0
    this.#bins = Array.from({ length: BINS }, (_, index) => {
      const [outcomes = 0, predicted = 0, happened = 0] = known?.bins[index] ?? []
      return { outcomes, predicted, happened }
    })
  }

  get known(): KnownCalibration {
    const bins = this.#bins.map(({ outcomes, predicted, happened }) => [outcomes, predicted, happened] as const)
    return { outcomes: this.#outcomes, bins }
  }

  /**
   * What was predicted, and whether it came: 0 or 1, or the chance of it where the outcome was prevented from showing.
   * `weight`: below 1 where one outcome is told of several predictions.
   */
  learn(o: { predicted: number; happened: number; weight: number }): void {
    for (const [name, value] of Object.entries(o)) requireQuantity(name, value)
    const kept = 1 - o.weight / MEMORY_OUTCOMES
    for (const bin of this.#bins) {
      bin.outcomes *= kept
      bin.predicted *= kept
      bin.happened *= kept
    }
    const bin = this.#bins[EDGES.filter((edge) => o.predicted >= edge).length]
    if (bin === undefined) return
    bin.outcomes += o.weight
    bin.predicted += o.weight * Math.min(1, o.predicted)
    bin.happened += o.weight * Math.min(1, o.happened)
    this.#outcomes = Math.min(MEMORY_OUTCOMES, this.#outcomes + o.weight)
    this.#curve = undefined
  }

  apply(probability: number): number {
    const trust = Math.min(1, Math.max(0, this.#outcomes / IDENTITY_OUTCOMES - 1))
    if (trust === 0) return probability
    this.#curve ??= pooled(this.#bins)
    const calibrated = (1 - trust) * probability + trust * interpolate(this.#curve, probability)
    return Math.min(1, Math.max(0, calibrated))
  }
}

/** Points (predicted, happened) of the bins, the prior counted in, neighbours pooled until none falls. */
function pooled(bins: readonly Bin[]): [number, number][] {
  const points: { x: number; y: number; weight: number }[] = []
  for (const [index, bin] of bins.entries()) {
    const middle = middleOf(index)
    const weight = bin.outcomes + PRIOR_OUTCOMES
    const x = (bin.predicted + PRIOR_OUTCOMES * middle) / weight
    let point = { x, y: (bin.happened + PRIOR_OUTCOMES * middle) / weight, weight }
    for (let last = points.at(-1); last !== undefined && last.y >= point.y; last = points.at(-1)) {
      points.pop()
      const both = last.weight + point.weight
      const mean = (a: number, b: number): number => (last.weight * a + point.weight * b) / both
      point = { x: mean(last.x, point.x), y: mean(last.y, point.y), weight: both }
    }
    points.push(point)
  }
  return [[0, 0], ...points.map(({ x, y }): [number, number] => [x, y]), [1, 1]]
}

/** What outcomes that came by `map` would have taught: as many as are believed in full. */
export function calibrationOf(map: (probability: number) => number): KnownCalibration {
  const outcomes = 2 * IDENTITY_OUTCOMES
  const each = outcomes / BINS
  const bins = Array.from({ length: BINS }, (_, index) => {
    const middle = middleOf(index)
    return [each, each * middle, each * map(middle)] as const
  })
  return { outcomes, bins }
}

function middleOf(bin: number): number {
  return ((EDGES[bin - 1] ?? 0) + (EDGES[bin] ?? 1)) / 2
}

function interpolate(curve: readonly (readonly [number, number])[], at: number): number {
  const next = curve.findIndex(([x]) => x >= at)
  const [x1, y1] = curve[next] ?? [1, 1]
  const [x0, y0] = curve[next - 1] ?? [0, 0]
  return x1 === x0 ? y1 : y0 + ((at - x0) / (x1 - x0)) * (y1 - y0)
}
