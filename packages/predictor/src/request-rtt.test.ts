import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RequestRtt } from './request-rtt.js'

test('before any sample the timeout is one second and nothing else is known', () => {
  const rtt = new RequestRtt()
  expect([rtt.smoothedMs, rtt.rtoMs, rtt.minimumMs(0), rtt.queueingDelayMs(0)]).toEqual([
    undefined,
    1_000,
    undefined,
    0,
  ])
})

test('it computes RFC 6298 by hand', () => {
  const rtt = new RequestRtt()
  rtt.add({ nowMs: 0, roundTripMs: 100 })
  expect([rtt.smoothedMs, rtt.rtoMs]).toEqual([100, 300])
  rtt.add({ nowMs: 100, roundTripMs: 200 })
  // RTTVAR = 0.75 * 50 + 0.25 * 100 = 62.5; SRTT = 87.5 + 25 = 112.5
  expect([rtt.smoothedMs, rtt.rtoMs]).toEqual([112.5, 362.5])
  expect(rtt.queueingDelayMs(100)).toBe(12.5)
})

test('its minimum forgets after 25 to 30 seconds', () => {
  const samples = fc.array(fc.tuple(fc.integer({ min: 0, max: 4_000 }), fc.integer({ min: 1, max: 5_000 })), {
    minLength: 1,
    maxLength: 60,
  })
  fc.assert(
    fc.property(samples, (list) => {
      const rtt = new RequestRtt()
      let nowMs = 12_345
      const seen: [number, number][] = []
      for (const [stepMs, roundTripMs] of list) {
        nowMs += stepMs
        seen.push([nowMs, roundTripMs])
        rtt.add({ nowMs, roundTripMs })
      }
      const within = (ms: number): number => Math.min(...seen.filter(([at]) => at > nowMs - ms).map(([, r]) => r))
      expect(rtt.minimumMs(nowMs)).toBeLessThanOrEqual(within(25_000))
      expect(rtt.minimumMs(nowMs)).toBeGreaterThanOrEqual(within(30_000))
      expect(rtt.minimumMs(nowMs + 30_001)).toBeUndefined()
    }),
  )
})

test('mean and variation are the weighted sums that RFC 6298 comes to, and its timeout keeps its bounds', () => {
  const trips = fc.array(fc.double({ min: 0, max: 6e4, noNaN: true }), { minLength: 1, maxLength: 30 })
  fc.assert(
    fc.property(trips, (list) => {
      const rtt = new RequestRtt()
      for (const roundTripMs of list) rtt.add({ nowMs: 0, roundTripMs })
      // Reference: each sample's own weight, the first one's what the others leave.
      const weighted = (values: readonly number[], gain: number): number =>
        values.reduce((sum, one, at) => {
          const younger = (1 - gain) ** (values.length - 1 - at)
          return sum + one * younger * (at === 0 ? 1 : gain)
        }, 0)
      const smoothed = (count: number): number => weighted(list.slice(0, count), 1 / 8)
      const first = list[0] ?? 0
      const deviations = list.map((one, at) => (at === 0 ? first / 2 : Math.abs(smoothed(at) - one)))
      const expected = smoothed(list.length) + 4 * weighted(deviations, 1 / 4)
      expect((rtt.smoothedMs ?? Number.NaN) - smoothed(list.length)).toBeCloseTo(0, 6)
      expect(rtt.rtoMs).toBeCloseTo(Math.min(60_000, Math.max(300, expected)), 6)
      expect(rtt.queueingDelayMs(0)).toBeCloseTo(smoothed(list.length) - Math.min(...list), 6)
    }),
  )
})

test('a round trip that is none is refused and quoted', () => {
  const rtt = new RequestRtt()
  expect(() => rtt.add({ nowMs: 0, roundTripMs: -3 })).toThrow('-3')
  expect(() => rtt.add({ nowMs: Number.NaN, roundTripMs: 3 })).toThrow('NaN')
  expect(rtt.smoothedMs).toBeUndefined()
})

test('a round trip of over a minute counts as one of a minute', () => {
  const rtt = new RequestRtt()
  rtt.add({ nowMs: 0, roundTripMs: 3_600_000 })
  expect([rtt.smoothedMs, rtt.rtoMs]).toEqual([60_000, 60_000])
})
