import { expect, test } from 'vitest'
import { parseTrace, scheduleOfTrace } from '../support/links/index.js'
import { bytesBetween, rateAt } from '../support/links/rate-schedule.js'

const CSV = 'start_ms,dur_ms,mbps\n0,1000,8\n1000,500,0\n1500,500,4\n'

test('a trace of rows is rates over time, with its mean', () => {
  const trace = parseTrace('rows', CSV)
  expect(trace).toMatchObject({ name: 'rows', lengthMs: 2000, meanBytesPerSecond: 625_000 })
  const schedule = scheduleOfTrace(trace)
  expect([0, 999, 1000, 1499, 1500, 1999].map((atMs) => rateAt(schedule, atMs))).toEqual([
    ...[1_000_000, 1_000_000, 0, 0, 500_000, 500_000],
  ])
})

test('a trace starts anew at its end, and may be scaled', () => {
  const schedule = scheduleOfTrace(parseTrace('rows', CSV), 2)
  expect(rateAt(schedule, 2000)).toBe(2_000_000)
  expect(rateAt(schedule, 1_201_200)).toBe(0)
  expect(bytesBetween(schedule, 0, 3_600_000)).toBeCloseTo(1800 * 2 * 1_250_000, 0)
})

test('a trace of Mahimahi lets through the packets that its lines name', () => {
  // 20 packets in the first tenth of a second, none in the second, 10 in the third
  const lines = [...Array.from({ length: 20 }, (_, i) => i * 5), ...Array.from({ length: 10 }, (_, i) => 200 + i * 10)]
  const trace = parseTrace('packets', `${lines.join('\n')}\n`)
  expect(trace.lengthMs).toBe(300)
  const schedule = scheduleOfTrace(trace)
  expect([0, 100, 200].map((atMs) => rateAt(schedule, atMs))).toEqual([300_000, 0, 150_000])
  expect(bytesBetween(schedule, 0, 300)).toBeCloseTo(30 * 1500, 6)
})

test.each([
  ['start_ms,dur_ms,mbps\n0,1000,fast', /odd, line 2: expected start_ms,dur_ms,mbps.*"0,1000,fast"/],
  ['start_ms,dur_ms,mbps\n0,1000,-1', /line 2.*none of them negative/],
  ['start_ms,dur_ms,mbps\n0,0,1', /line 2/],
  ['start_ms,dur_ms,mbps\n', /lets nothing through/],
  ['start_ms,dur_ms,mbps\n0,1000,0', /lets nothing through/],
  ['1\n5\n3', /line 3: expected .*Mahimahi.*"3"/],
  ['hello', /line 1: expected a head line start_ms,dur_ms,mbps/],
  ['', /line 1/],
])('refuses %j with the line and what it should be', (text, expected) => {
  expect(() => parseTrace('odd', text)).toThrow(expected)
})
