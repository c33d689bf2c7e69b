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
