import { expect, test } from 'vitest'
import { RateHistory } from '../support/links/rate-history.js'

const constant = (bytesPerSecond: number) => [{ atMs: 0, bytesPerSecond }]

test('records new rates and outages, and what a schedule did meanwhile', () => {
  const history = new RateHistory([
    ...constant(100),
    { atMs: 50, bytesPerSecond: 200 },
    { atMs: 900, bytesPerSecond: 1 },
  ])
  history.setOpen(false, 100)
  history.setOpen(false, 120)
  history.setOpen(true, 300)
  history.setSchedule(constant(70), 400)
  expect(history.stepsUntil(500)).toEqual([
    { atMs: 0, bytesPerSecond: 100 },
    { atMs: 50, bytesPerSecond: 200 },
    { atMs: 100, bytesPerSecond: 0 },
    { atMs: 300, bytesPerSecond: 200 },
    { atMs: 400, bytesPerSecond: 70 },
  ])
})

test('a rate set during an outage counts from its end, and what did not change is one step', () => {
  const history = new RateHistory(constant(100))
  history.setOpen(false, 10)
  history.setSchedule(constant(100), 20)
  history.setOpen(true, 30)
  history.setSchedule(constant(100), 40)
  expect(history.stepsUntil(50)).toEqual([
    { atMs: 0, bytesPerSecond: 100 },
    { atMs: 10, bytesPerSecond: 0 },
    { atMs: 30, bytesPerSecond: 100 },
  ])
})
