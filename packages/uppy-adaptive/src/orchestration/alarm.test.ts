import { expect, test } from 'vitest'
import { Alarm } from './alarm.js'
import type { Clock } from './ports.js'

/** A clock whose timers go off by hand. */
function handClock(): { clock: Clock; pending: { delayMs: number; go: () => void }[] } {
  const pending: { delayMs: number; go: () => void }[] = []
  const clock: Clock = {
    now: () => 0,
    epochMs: () => 0,
    after: (delayMs, go) => {
      const timer = { delayMs, go }
      pending.push(timer)
      return () => {
        const at = pending.indexOf(timer)
        if (at >= 0) pending.splice(at, 1)
      }
    },
  }
  return { clock, pending }
}

test('a wait ends when it rings, and leaves no timer', async () => {
  const { clock, pending } = handClock()
  const alarm = new Alarm(clock)
  const waiting = alarm.wait(250)
  expect(pending.map(({ delayMs }) => delayMs)).toEqual([250])
  alarm.ring()
  await waiting
  expect(pending).toEqual([])
})

test('what rang before the wait is not lost, and other work still gets its turn', async () => {
  const { clock, pending } = handClock()
  const alarm = new Alarm(clock)
  alarm.ring()
  const waiting = alarm.wait(250)
  expect(pending.map(({ delayMs }) => delayMs)).toEqual([0])
  pending[0]?.go()
  await waiting
  void alarm.wait(250)
  expect(pending.at(-1)?.delayMs).toBe(250)
})
