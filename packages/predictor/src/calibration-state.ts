import { BINS, type KnownCalibration, MEMORY_OUTCOMES } from './calibration.js'
import { type KnownRecalibration, PARTS } from './recalibration.js'
import { list, number } from './state-reader.js'
import { brief } from './store-memory.js'

/** Guess: how far answers are off changes slowly. */
const HALF_LIFE_MS = 7 * 86_400_000

/** One list of numbers per part: outcomes, then three sums per bin. */
export function encodeCalibration(known: KnownRecalibration): number[][] {
  return PARTS.map((part) => [known[part].outcomes, ...known[part].bins.flat()].map(brief))
}

/** @throws PredictorError `invalidState`. */
export function decodeCalibration(value: unknown, ageMs: number): KnownRecalibration {
  const kept = 0.5 ** (ageMs / HALF_LIFE_MS)
  const rows = list('state.calibration', value, PARTS.length)
  const part = (index: number): KnownCalibration => {
    const path = `state.calibration[${index}]`
    const [outcomes = 0, ...sums] = list(path, rows[index], 1 + 3 * BINS).map(
      (item, n) => kept * number(`${path}[${n}]`, item, 0, MEMORY_OUTCOMES),
    )
    const at = (n: number, most: number): number => Math.min(most, sums[n] ?? 0)
    const bins = Array.from({ length: BINS }, (_, bin) => {
      const seen = at(3 * bin, MEMORY_OUTCOMES)
      return [seen, at(3 * bin + 1, seen), at(3 * bin + 2, seen)] as const
    })
    return { outcomes, bins }
  }
  return { risk: part(0), link: part(1), server: part(2), straggle: part(3) }
}
