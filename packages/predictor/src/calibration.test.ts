import fc from 'fast-check'
import { mean } from 'simple-statistics'
import { expect, test } from 'vitest'
import { Calibration } from './calibration.js'
import { ALL, three } from './testing/play.js'

const share = fc.double({ min: 0, max: 1, noNaN: true })

test('until fifty outcomes it is the identity', () => {
  const calibration = new Calibration()
  for (let n = 0; n < 50; n++) {
    expect(calibration.apply(0.3)).toBe(0.3)
    calibration.learn({ predicted: 0.3, happened: 1, weight: 1 })
  }
  for (let n = 0; n < 50; n++) calibration.learn({ predicted: 0.3, happened: 1, weight: 1 })
  expect(calibration.apply(0.3)).toBeGreaterThan(0.7)
})

test('it undoes a distortion: the mean error falls to a third', () => {
  const calibration = new Calibration()
  let state = 5
  const random = (): number => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
  const truth = (predicted: number): number => predicted ** 2
  for (let n = 0; n < 2_000; n++) {
    const predicted = random()
    calibration.learn({ predicted, happened: random() < truth(predicted) ? 1 : 0, weight: 1 })
  }
  const at = Array.from({ length: 99 }, (_, n) => (n + 1) / 100)
  const before = mean(at.map((p) => Math.abs(p - truth(p))))
  expect(mean(at.map((p) => Math.abs(calibration.apply(p) - truth(p))))).toBeLessThan(before / 3)
})

test('whatever came, it never decreases and never leaves [0, 1]', () => {
  const outcome = fc.record({ predicted: share, happened: share, weight: share })
  fc.assert(
    fc.property(fc.array(outcome, { maxLength: 300 }), fc.array(share, { minLength: 2, maxLength: 20 }), (all, at) => {
      const calibration = new Calibration()
      for (const one of all) for (let n = 0; n < 3; n++) calibration.learn(one)
      let last = 0
      for (const p of at.sort((a, b) => a - b)) {
        const calibrated = calibration.apply(p)
        expect(calibrated).toBeGreaterThanOrEqual(last - 1e-12)
        expect(calibrated <= 1).toBe(true)
        last = calibrated
      }
    }),
  )
})

/** `risk` of a fresh session after a hundred that ended so. */
function after(end: { outcome: 'completed' | 'takenOver' | 'cancelled' } | { outcome: 'failed'; failure: 'load' }): {
  raw: number
  calibrated: number
} {
  const play = three()
  for (let n = 0; n < 130; n++) {
    play.of('a')
    play.model.sessionEnded({ nowMs: play.nowMs, session: 'a', ...end })
    play.start('a').run(200, ALL)
  }
  const { risk, calibrated } = play.of('a')
  return { raw: risk, calibrated: calibrated.risk }
}

test('a model whose sessions all complete lowers its risk, and says both', () => {
  const { raw, calibrated } = after({ outcome: 'completed' })
  expect(calibrated).toBeLessThan(0.5 * raw)
})

test('outcomes that were prevented, or say nothing, leave the risk about where it was', () => {
  for (const end of [
    { outcome: 'takenOver' },
    { outcome: 'cancelled' },
    { outcome: 'failed', failure: 'load' },
  ] as const) {
    const { raw, calibrated } = after(end)
    expect(Math.abs(calibrated - raw)).toBeLessThan(0.03)
  }
})

test('its curve is the isotonic regression of the bins, by the max-min formula', () => {
  const outcome = fc.record({ predicted: share, happened: fc.constantFrom(0, 1), weight: fc.constant(1) })
  fc.assert(
    fc.property(fc.array(outcome, { minLength: 100, maxLength: 300 }), (outcomes) => {
      const calibration = new Calibration()
      for (const one of outcomes) calibration.learn(one)
      const edges = [0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9, 1]
      const bins = calibration.known.bins.map(([count, predicted, happened], at) => {
        const middle = ((edges[at] ?? 0) + (edges[at + 1] ?? 1)) / 2
        return { weight: count + 4, x: predicted + 4 * middle, y: happened + 4 * middle }
      })
      const over = (from: number, to: number, what: 'x' | 'y'): number => {
        const some = bins.slice(from, to + 1)
        return some.reduce((sum, bin) => sum + bin[what], 0) / some.reduce((sum, { weight }) => sum + weight, 0)
      }
      // Reference: y of bin i = the greatest, over all starts a <= i, of the least mean over a..b, b >= i.
      const at = [...bins.keys()]
      const fitted = at.map((i) =>
        Math.max(...at.slice(0, i + 1).map((a) => Math.min(...at.slice(i).map((b) => over(a, b, 'y'))))),
      )
      for (const i of at) {
        const level = at.filter((j) => Math.abs((fitted[j] ?? 0) - (fitted[i] ?? 0)) < 1e-12)
        const x = over(level[0] ?? i, level.at(-1) ?? i, 'x')
        expect(calibration.apply(x)).toBeCloseTo(fitted[i] ?? Number.NaN, 6)
      }
    }),
    { numRuns: 60 },
  )
})
