import { expect, test } from 'vitest'
import type { Clock } from './ports.js'
import { pause, withDeadline } from './timing.js'

/** A clock that stands still until it is told to move. */
class HandClock implements Clock {
  #nowMs = 0
  readonly #timers = new Set<{ atMs: number; callback: () => void }>()

  now(): number {
    return this.#nowMs
  }

  epochMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, callback }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  get timers(): number {
    return this.#timers.size
  }

  advance(ms: number): void {
    this.#nowMs += ms
    for (const timer of this.#timers) {
      if (timer.atMs > this.#nowMs) continue
      this.#timers.delete(timer)
      timer.callback()
    }
  }
}

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
  const clock = new HandClock()
  const { controller, listeners } = watched()
  const paused = pause(clock, 100, controller.signal)
  clock.advance(99)
  expect(await isSettled(paused)).toBe(false)
  clock.advance(1)
  await paused
  expect([clock.timers, listeners()]).toEqual([0, 0])
})

test('a pause ends at once when its signal fires, and leaves no timer', async () => {
  const clock = new HandClock()
  const { controller, listeners } = watched()
  const paused = pause(clock, 60_000, controller.signal)
  controller.abort()
  await paused
  expect([clock.now(), clock.timers, listeners()]).toEqual([0, 0, 0])
})

test('a pause under a signal that has fired never begins', async () => {
  const clock = new HandClock()
  await pause(clock, 60_000, AbortSignal.abort())
  expect(clock.timers).toBe(0)
})

test('a deadline fires after its time', () => {
  const clock = new HandClock()
  const deadline = withDeadline(clock, 100, new AbortController().signal)
  clock.advance(99)
  expect(deadline.signal.aborted).toBe(false)
  clock.advance(1)
  expect(deadline.signal.aborted).toBe(true)
})

test('a deadline fires with the signal that it stands under, the other way round it does not', () => {
  const clock = new HandClock()
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
  const deadline = withDeadline(new HandClock(), 100, AbortSignal.abort())
  expect(deadline.signal.aborted).toBe(true)
})

test('a deadline that is done with never fires, and leaves nothing behind', () => {
  const clock = new HandClock()
  const { controller, listeners } = watched()
  const deadline = withDeadline(clock, 100, controller.signal)
  deadline.done()
  clock.advance(1_000)
  controller.abort()
  expect(deadline.signal.aborted).toBe(false)
  expect([clock.timers, listeners()]).toEqual([0, 0])
})
