import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SimulatedClock } from '../testing/simulated-clock.js'
import { RateCap } from './rate-cap.js'

const NEVER = new AbortController().signal
/** What a request costs beside its body. */
const REQUEST = 600

test('over any second and more, whoever asks, no more than the cap and one body begins', async () => {
  const bodies = fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 50_000 }), pauseMs: fc.nat(400) }), {
    minLength: 5,
  })
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 10_000, max: 1_000_000 }), bodies, async (rate, asked) => {
      const clock = new SimulatedClock()
      const cap = new RateCap(rate)
      const begun: { atMs: number; bytes: number }[] = []
      for (const { bytes, pauseMs } of asked) {
        void cap.admit(bytes, { clock, signal: NEVER }).then(() => begun.push({ atMs: clock.now(), bytes }))
        await clock.run(pauseMs)
      }
      await clock.run(3_600_000)
      expect(begun).toHaveLength(asked.length)
      for (const [i, first] of begun.entries()) {
        let sum = 0
        for (const { atMs, bytes } of begun.slice(i)) {
          // what one began with, and 50 ms of credit
          expect(sum).toBeLessThanOrEqual((rate * (atMs - first.atMs + 51)) / 1000)
          sum += bytes + REQUEST
        }
      }
    }),
    { numRuns: 50 },
  )
})

test('bodies that wait for one another go at the cap', async () => {
  const clock = new SimulatedClock()
  const cap = new RateCap(100_000)
  let bytes = 0
  void (async () => {
    for (;;) {
      await cap.admit(19_400, { clock, signal: NEVER })
      bytes += 19_400 + REQUEST
    }
  })()
  await clock.run(60_000)
  expect(bytes / 60).toBeGreaterThan(99_000)
  expect(bytes / 60).toBeLessThan(101_000)
})

test('a body that is given up leaves its time to the next', async () => {
  const clock = new SimulatedClock()
  const cap = new RateCap(100_000)
  await cap.admit(100_000, { clock, signal: NEVER })
  const stop = new AbortController()
  const given = cap.admit(500_000, { clock, signal: stop.signal })
  stop.abort()
  await given
  let atMs = 0
  void cap.admit(1, { clock, signal: NEVER }).then(() => {
    atMs = clock.now()
  })
  await clock.run(10_000)
  expect(atMs).toBeLessThan(1_100)
  expect(clock.timers).toBe(0)
})

test('bodies last a tenth of a second at the cap, two round trips where these are long, a second at most, and are not tiny', () => {
  const cap = new RateCap(1_000_000)
  expect([0, 50, 150, 2_000].map((ms) => cap.bodyBytes(ms))).toEqual([100_000, 100_000, 300_000, 1_000_000])
  cap.bytesPerSecond = 10_000
  expect(cap.bodyBytes(0)).toBe(16_384)
})

test.each([0, -1, 4_095, Number.NaN, '1000', null, undefined])('%j is no rate', (value) => {
  expect(() => new RateCap(value as number)).toThrow(
    expect.objectContaining({ code: 'bad-option', message: expect.stringContaining('4096 bytes per second') }),
  )
})
