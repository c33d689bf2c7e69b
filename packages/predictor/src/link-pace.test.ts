import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LinkPace } from './link-pace.js'

const ticks = fc.array(
  fc.record({ bytes: fc.integer({ min: 0, max: 1e7 }), durationMs: fc.integer({ min: 1, max: 2_000 }) }),
  { minLength: 1, maxLength: 40 },
)

test('each span is the mean of what was sent, by what is left of each millisecond', () => {
  fc.assert(
    fc.property(ticks, (list) => {
      const pace = new LinkPace()
      let nowMs = 0
      pace.tick(nowMs, true)
      for (const { bytes, durationMs } of list) {
        nowMs += durationMs
        pace.acknowledged({ bytes, appLimited: false })
        pace.tick(nowMs, true)
      }
      for (const [span, halfLifeMs] of [['now', 700] as const, ['usual', 40_000] as const]) {
        // Reference: 0.5^(age / half-life) integrated over the stretch of each tick.
        let [ageMs, weighted, weights] = [0, 0, 0]
        for (const { bytes, durationMs } of list.toReversed()) {
          const weight = 0.5 ** (ageMs / halfLifeMs) - 0.5 ** ((ageMs + durationMs) / halfLifeMs)
          weighted += (weight * bytes * 1_000) / durationMs
          weights += weight
          ageMs += durationMs
        }
        const expected = weighted / weights
        expect((pace.bytesPerSecond(span) ?? Number.NaN) / Math.max(1, expected)).toBeCloseTo(
          expected / Math.max(1, expected),
          6,
        )
      }
    }),
  )
})

test('idle time, time that our own source limited, and local pauses are no pace', () => {
  const pace = new LinkPace()
  const second = (nowMs: number, bytes: number, o: { isInUse?: boolean; appLimited?: boolean } = {}): void => {
    pace.acknowledged({ bytes, appLimited: o.appLimited ?? false })
    pace.tick(nowMs, o.isInUse ?? true)
  }
  pace.tick(0, true)
  expect(pace.bytesPerSecond('now')).toBeUndefined()
  second(1_000, 5_000)
  second(2_000, 0, { isInUse: false })
  second(3_000, 10, { appLimited: true })
  pace.restart(60_000)
  second(61_000, 5_000)
  expect(pace.bytesPerSecond('now')).toBeCloseTo(5_000)
  expect(pace.optimism).toBeCloseTo(0)
  second(62_000, 50_000)
  expect(pace.optimism).toBeGreaterThan(0.05)
})
