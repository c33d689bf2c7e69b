import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Pauses } from './pauses.js'

const span = fc.tuple(fc.nat(60), fc.nat(60)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const)

test('the time paused between two moments is what counting each millisecond gives, however pauses overlap', () => {
  fc.assert(
    fc.property(fc.array(span, { maxLength: 8 }), span, (spans, [from, to]) => {
      const pauses = new Pauses()
      for (const [fromMs, toMs] of spans) pauses.add(fromMs, toMs)
      const paused = (ms: number) => spans.some(([fromMs, toMs]) => ms >= fromMs && ms < toMs)
      const counted = Array.from({ length: to - from }, (_, index) => from + index).filter(paused).length
      expect(pauses.withinMs(from, to)).toBe(counted)
    }),
  )
})

test('a pause that is not ended lasts; a second one in it, and an end without one, change nothing', () => {
  const pauses = new Pauses()
  pauses.ended(5)
  pauses.began(10)
  pauses.began(12)
  expect(pauses.withinMs(0, 30)).toBe(20)
  pauses.ended(20)
  expect(pauses.withinMs(0, 30)).toBe(10)
})
