import { expect, test } from 'vitest'
import { everythingDone, SimulatedClock } from '../../testing/simulated-clock.js'
import { Alarm } from './alarm.js'

/** Whether a wait is over, once everything that does not wait for time has run. */
async function isOver(waiting: Promise<void>): Promise<boolean> {
  let over = false
  void waiting.then(() => {
    over = true
  })
  await everythingDone()
  return over
}

test('a wait ends after its time, not before', async () => {
  const clock = new SimulatedClock()
  const waiting = new Alarm(clock).wait(250)
  clock.advance(249)
  expect(await isOver(waiting)).toBe(false)
  clock.advance(1)
  expect(await isOver(waiting)).toBe(true)
})

test('a wait ends when it rings, and leaves no timer', async () => {
  const clock = new SimulatedClock()
  const alarm = new Alarm(clock)
  const waiting = alarm.wait(250)
  alarm.ring()
  await waiting
  expect([clock.now(), clock.timers]).toEqual([0, 0])
})

test('what rang before the wait is not lost, and other work still gets its turn', async () => {
  const clock = new SimulatedClock()
  const alarm = new Alarm(clock)
  alarm.ring()
  const waiting = alarm.wait(250)
  expect(await isOver(waiting)).toBe(false)
  clock.advance(0)
  expect(await isOver(waiting)).toBe(true)
  const next = alarm.wait(250)
  clock.advance(249)
  expect(await isOver(next)).toBe(false)
})
