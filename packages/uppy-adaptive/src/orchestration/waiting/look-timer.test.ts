import { expect, test } from 'vitest'
import { SimulatedClock } from '../../testing/simulated-clock.js'
import { LookTimer } from './look-timer.js'

function timed(rtoMs: number) {
  const clock = new SimulatedClock()
  const lateMs: number[] = []
  const timer = new LookTimer({ clock, rtoMs, onLate: () => lateMs.push(clock.now()) })
  return { clock, lateMs, timer, fromMs: clock.now() }
}

test('it goes off once, after two seconds or four retransmission time-outs', async () => {
  for (const [rtoMs, wantedMs] of [
    [100, 2_000],
    [1_000, 4_000],
  ] as const) {
    const { clock, lateMs, timer, fromMs } = timed(rtoMs)
    timer.start()
    await clock.run(wantedMs - 1)
    expect(timer.isLate).toBe(false)
    await clock.run(20_000)
    expect(timer.isLate).toBe(true)
    expect(lateMs).toEqual([fromMs + wantedMs])
  }
})

test('what was held back is given its whole time when it goes out, and stopped it leaves nothing', async () => {
  const { clock, lateMs, timer } = timed(100)
  timer.start()
  await clock.run(1_500)
  timer.stop()
  await clock.run(60_000)
  timer.start()
  await clock.run(1_999)
  expect(timer.isLate).toBe(false)
  timer.start()
  expect(clock.timers).toBe(1)
  timer.stop()
  await clock.run(60_000)
  expect([lateMs, clock.timers]).toEqual([[], 0])
})
