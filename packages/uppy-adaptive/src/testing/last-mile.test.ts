import { expect, test } from 'vitest'
import { LastMile } from './last-mile.js'
import { SimulatedClock } from './simulated-clock.js'

const NEVER = new AbortController().signal

/** How long something small takes up a last mile of so many bytes per second, beside a body that is held up by it or by something else. */
async function smallTakesMs(
  lastMile: LastMile,
  body?: { readonly remainingBytes: number; readonly isHeldUp: boolean },
): Promise<number> {
  const clock = new SimulatedClock()
  if (body) lastMile.begin(body)
  await clock.settle(lastMile.queue(clock, NEVER))
  return clock.now()
}

function link(queueBytes: number, upBytesPerSecond = 60_000): LastMile {
  const lastMile = new LastMile(upBytesPerSecond)
  lastMile.queueBytes = queueBytes
  return lastMile
}

test('what is small waits behind what bodies have in the queue', async () => {
  const body = { remainingBytes: 1e6, isHeldUp: true }
  expect(await smallTakesMs(link(30_000), body)).toBeGreaterThanOrEqual(510)
  expect(await smallTakesMs(link(0), body)).toBe(10)
  expect(await smallTakesMs(link(30_000), { ...body, remainingBytes: 6_000 })).toBe(110)
})

test('a body that something else holds up leaves the queue empty', async () => {
  expect(await smallTakesMs(link(30_000), { remainingBytes: 1e6, isHeldUp: false })).toBe(10)
})

test('a link that becomes slow drains its queue slowly, and in the dark not at all', async () => {
  const clock = new SimulatedClock()
  const lastMile = link(30_000)
  lastMile.begin({ remainingBytes: 1e6, isHeldUp: true })
  const through = lastMile.queue(clock, NEVER)
  await clock.run(250)
  lastMile.isOut = true
  await clock.run(5_000)
  lastMile.isOut = false
  lastMile.upBytesPerSecond = 6_000
  await clock.settle(through)
  expect(clock.now()).toBeGreaterThanOrEqual(5_250 + 2_000)
})

test('a last mile without a rate holds nobody up', async () => {
  expect(await smallTakesMs(link(30_000, Number.POSITIVE_INFINITY), { remainingBytes: 1e6, isHeldUp: true })).toBe(0)
})

test('who gives up waiting leaves', async () => {
  const clock = new SimulatedClock()
  const stop = new AbortController()
  const waiting = link(30_000, 1).queue(clock, stop.signal)
  stop.abort()
  await clock.settle(waiting)
  expect(clock.timers).toBe(0)
})
