import { expect, test } from 'vitest'
import { SimulatedClock } from '../../testing/simulated-clock.js'
import { Rests } from './rests.js'

/** When it is over, ms; undefined meanwhile. */
function resting(rests: Rests, clock: SimulatedClock, signal: AbortSignal) {
  const over: { atMs?: number } = {}
  void rests.take(1_000, signal).then(() => {
    over.atMs = clock.now()
  })
  return over
}

test('a rest ends after its time, with its signal, or with all the others, and leaves no timer', async () => {
  const clock = new SimulatedClock()
  const rests = new Rests(clock)
  const stop = new AbortController()
  const stopped = resting(rests, clock, stop.signal)
  const others = [1, 2].map(() => resting(rests, clock, new AbortController().signal))
  await clock.run(100)
  stop.abort()
  await clock.run(100)
  expect([stopped, ...others].map(({ atMs }) => atMs)).toEqual([100, undefined, undefined])
  rests.endAll()
  await clock.run(0)
  expect(others.map(({ atMs }) => atMs)).toEqual([200, 200])
  expect(clock.timers).toBe(0)
  const next = resting(rests, clock, new AbortController().signal)
  await clock.run(5_000)
  expect(next.atMs).toBe(1_200)
  await rests.take(1_000, AbortSignal.abort())
  expect(clock.timers).toBe(0)
})
