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
