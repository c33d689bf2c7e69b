import { expect, test } from 'vitest'
import { LinkTrace } from '../predictor/link-trace.js'
import { measureEta } from './eta-coverage.js'

const halves = () => 0.5

test('on a steady link every end comes within what was said', () => {
  const steady = new LinkTrace('steady', [{ durationMs: 1_000, mbps: 8 }])
  const { asked, ...figures } = measureEta(steady, { uploads: 3, random: halves })
  expect(asked).toBe(15)
  expect(figures).toMatchObject({ link: 'steady', within: 1, earlier: 0, later: 0 })
  expect(figures.width).toBeLessThan(1.5)
})

test('a link that goes dark after it was steady ends uploads later than was said before', () => {
  const dark = new LinkTrace('dark', [
    { durationMs: 40_000, mbps: 8 },
    { durationMs: 100_000, mbps: 0.01 },
  ])
  // one upload from the trace's begin, of two rounds of it
  const given = [0, 0.999]
  const { asked, later } = measureEta(dark, { uploads: 1, random: () => given.shift() ?? 0 })
  expect(asked).toBe(5)
  expect(later).toBeGreaterThanOrEqual(0.4)
})
