import fc from 'fast-check'
import { expect, test } from 'vitest'
import { aged, decodeStore, encodeStore, type StoreMemory } from './store-memory.js'

const amount = (max: number): fc.Arbitrary<number> => fc.double({ min: 0, max, noNaN: true })
const gaps = fc.record({ meanLog: amount(20), variance: amount(4), gaps: fc.double({ min: 1, max: 20, noNaN: true }) })
const memory: fc.Arbitrary<StoreMemory> = fc.record({
  failures: fc.record({ failures: amount(50), seconds: amount(1e4) }),
  gaps,
  startGaps: gaps,
  requestRtt: fc.option(fc.record({ smoothedMs: amount(1e4), variationMs: amount(1e4), minimumMs: amount(1e4) }), {
    nil: undefined,
  }),
  goodput: fc.option(
    fc.record({ fast: amount(1e9), slow: amount(1e9), weightMs: amount(1e6), totalBytes: amount(1e12) }),
    { nil: undefined },
  ),
  partitions: fc.array(amount(1e9), { maxLength: 5 }),
  completions: fc.array(fc.record({ log: fc.double({ min: -6.9, max: 6.9, noNaN: true }), censored: fc.boolean() }), {
    maxLength: 64,
  }),
})
const age = amount(1e9)

/** Every number of it, in order. */
function numbers(value: unknown): number[] {
  if (typeof value === 'number') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(numbers) : []
}

test('what is written down is read again to four digits, times against plan to a hundredth', () => {
  fc.assert(
    fc.property(memory, (known) => {
      const read = decodeStore('stores[0]', JSON.parse(JSON.stringify(encodeStore('a', known))))
      expect(read.completions.map(({ censored }) => censored)).toEqual(
        known.completions.map(({ censored }) => censored),
      )
      for (const [n, { log }] of read.completions.entries()) {
        expect(Math.abs(log - (known.completions[n]?.log ?? Number.NaN))).toBeLessThanOrEqual(0.005 + 1e-9)
      }
      const [before, after] = [known, read].map((one) => numbers({ ...one, completions: [] })) as [number[], number[]]
      expect(after).toHaveLength(before.length)
      for (const [n, value] of before.entries()) {
        expect(Math.abs((after[n] ?? Number.NaN) - value)).toBeLessThanOrEqual(1e-3 * value)
      }
    }),
  )
})

test('failures and rates fade by half in ten minutes, rhythms in a day; nothing is added', () => {
  fc.assert(
    fc.property(memory, (known) => {
      const later = aged(known, 600_000)
      expect(later.failures.failures).toBeCloseTo(known.failures.failures / 2, 9)
      expect(later.goodput?.weightMs ?? 0).toBeCloseTo((known.goodput?.weightMs ?? 0) / 2, 6)
      expect(aged(known, 86_400_000).gaps.gaps).toBeCloseTo(Math.max(1, known.gaps.gaps / 2), 9)
      // the newest half
      const kept = Math.round(known.completions.length / 2)
      expect(aged(known, 86_400_000).completions).toEqual(known.completions.slice(known.completions.length - kept))
    }),
  )
})

test('of no age it is the same, and aging twice fades as aging once', () => {
  fc.assert(
    fc.property(memory, age, age, (known, a, b) => {
      const now = aged(known, 0)
      expect(now.failures).toEqual(known.failures)
      expect(now.completions).toEqual(known.completions)
      const [twice, once] = [aged(aged(known, a), b), aged(known, a + b)]
      expect(twice.failures.failures).toBeCloseTo(once.failures.failures, 6)
      expect(twice.gaps.gaps).toBeCloseTo(once.gaps.gaps, 6)
      expect(numbers(once).every((value) => Number.isFinite(value))).toBe(true)
    }),
  )
})

test('what no store has is refused by a coded error that names it', () => {
  const sound = (): Record<string, unknown> =>
    encodeStore('a', {
      ...{ failures: { failures: 1, seconds: 9 }, requestRtt: undefined, goodput: undefined },
      ...{ partitions: [1], completions: [], gaps: { meanLog: 5, variance: 1, gaps: 3 } },
      startGaps: { meanLog: 6, variance: 1, gaps: 2 },
    })
  expect(() => decodeStore('stores[0]', sound())).not.toThrow()
  for (const [key, value] of [
    ['failures', [1]],
    ['failures', [-1, 2]],
    ['gaps', 'often'],
    ['partitions', [1, 2, 3, 4, 5, 6]],
    ['completions', [1e9]],
    ['requestRtt', [1, 2, null]],
  ] as const) {
    expect(() => decodeStore('stores[0]', { ...sound(), [key]: value })).toThrow(
      expect.objectContaining({ code: 'invalidState', message: expect.stringContaining(key) }),
    )
  }
})
