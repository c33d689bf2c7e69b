import { expect, test } from 'vitest'
import { LastMile, STEP_MS } from './last-mile.js'
import { LinkTrace } from './link-trace.js'
import { SimulatedSession } from './simulated-session.js'

/** 1,000 bytes per ms, 10 s, then nothing for 10 s. */
const trace = new LinkTrace('half', [
  { durationMs: 10_000, mbps: 8 },
  { durationMs: 10_000, mbps: 0 },
])

const session = (bytes: number) =>
  new SimulatedSession({
    ...{ id: 's', store: 0, startedMs: 0, roundTripMs: 50, ackPhaseMs: 0, backsOff: true },
    bytes,
  })

function played(o: { untilMs: number; limits: readonly number[] }) {
  const lastMile = new LastMile(trace, 0)
  const sessions = o.limits.map(() => session(1e9))
  for (let nowMs = 0; nowMs < o.untilMs; nowMs += STEP_MS) {
    lastMile.begin(nowMs)
    lastMile.share(sessions, nowMs, (one) => o.limits[sessions.indexOf(one)] ?? 0)
  }
  return { lastMile, sessions }
}

test('what one session leaves, the others share', () => {
  const { lastMile, sessions } = played({ untilMs: 1_000, limits: [5_000, 1e9, 1e9] })
  expect(sessions.map(({ deliveredBytes }) => Math.round(deliveredBytes))).toEqual([100_000, 450_000, 450_000])
  expect(lastMile.deliveredBytes).toBeCloseTo(1e6, 0)
  expect(lastMile.healthyBytesAt(1_000)).toBeCloseTo(1e6 / 3, 0)
  expect(lastMile.healthyMsAt(1e6 / 6)).toBe(500)
})

test('a saturated link makes requests wait, one that is not does not, and one that is gone has no queue to speak of', () => {
  expect(played({ untilMs: 1_000, limits: [20_000, 20_000] }).lastMile.queueMs).toBe(0)
  // 200 ms at the mean rate, half of this one
  expect(played({ untilMs: 9_000, limits: [1e9] }).lastMile.queueMs).toBeCloseTo(100, 0)
  expect(played({ untilMs: 10_050, limits: [1e9] }).lastMile).toMatchObject({ isUp: false, queueMs: 0 })
})
