import { expect, test } from 'vitest'
import { SimulatedClock } from '../testing/simulated-clock.js'
import { onAbort, pause, withDeadline } from './timing.js'

/** An AbortSignal that counts who listens. */
function watched(): { controller: AbortController; listeners: () => number } {
  const controller = new AbortController()
  const { signal } = controller
  let count = 0
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    count += 1
    add(...args)
  }
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    count -= 1
    remove(...args)
  }
  return { controller, listeners: () => count }
}

/** Whether the promise has settled, once everything that is ready has run. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = {}
  // two turns of microtasks: one for the promise, one for its followers
  await Promise.resolve()
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending
}

test('a pause ends after its time, not before, and leaves nothing behind', async () => {
  const clock = new SimulatedClock()
  const { controller, listeners } = watched()
  const paused = pause(clock, 100, controller.signal)
  clock.advance(99)
  expect(await isSettled(paused)).toBe(false)
  clock.advance(1)
  await paused
  expect([clock.timers, listeners()]).toEqual([0, 0])
})

test('a pause ends at once when its signal fires, and leaves no timer', async () => {
  const clock = new SimulatedClock()
  const { controller, listeners } = watched()
  const paused = pause(clock, 60_000, controller.signal)
  controller.abort()
  await paused
  expect([clock.now(), clock.timers, listeners()]).toEqual([0, 0, 0])
})

test('a pause under a signal that has fired never begins', async () => {
  const clock = new SimulatedClock()
  await pause(clock, 60_000, AbortSignal.abort())
  expect(clock.timers).toBe(0)
})

test('a deadline fires after its time', () => {
  const clock = new SimulatedClock()
  const deadline = withDeadline(clock, 100, new AbortController().signal)
  clock.advance(99)
  expect(deadline.signal.aborted).toBe(false)
  clock.advance(1)
  expect(deadline.signal.aborted).toBe(true)
})

test('a deadline fires with the signal that it stands under, the other way round it does not', () => {
  const clock = new SimulatedClock()
  const first = new AbortController()
  const second = new AbortController()
  const under = withDeadline(clock, 100, first.signal)
  first.abort()
  expect(under.signal.aborted).toBe(true)
  withDeadline(clock, 100, second.signal)
  clock.advance(100)
  expect(second.signal.aborted).toBe(false)
})

test('a deadline under a signal that has fired has passed', () => {
  const deadline = withDeadline(new SimulatedClock(), 100, AbortSignal.abort())
  expect(deadline.signal.aborted).toBe(true)
})

test('a deadline that is done with never fires, and leaves nothing behind', () => {
  const clock = new SimulatedClock()
  const { controller, listeners } = watched()
  const deadline = withDeadline(clock, 100, controller.signal)
  deadline.done()
  clock.advance(1_000)
  controller.abort()
  expect(deadline.signal.aborted).toBe(false)
  expect([clock.timers, listeners()]).toEqual([0, 0])
})

test('however many wait for a signal, it has one listener of theirs, and none when they have left', () => {
  const { controller, listeners } = watched()
  const called: number[] = []
  const leave = Array.from({ length: 20 }, (_, i) => onAbort(controller.signal, () => called.push(i)))
  expect(listeners()).toBe(1)
  for (const go of leave.slice(2)) go()
  controller.abort()
  expect(called).toEqual([0, 1])
  for (const go of leave) go()
  expect(listeners()).toBe(0)
})

test('the same callback may wait twice, and each leaves for itself', () => {
  const controller = new AbortController()
  let calls = 0
  const count = () => {
    calls += 1
  }
  const leave = onAbort(controller.signal, count)
  onAbort(controller.signal, count)
  leave()
  controller.abort()
  expect(calls).toBe(1)
})
