import fc from 'fast-check'
import { expect, test } from 'vitest'
import { rankStores, type StoreOption } from './mirror-choice.js'

const usual: StoreOption = {
  store: 'a',
  goodputBytesPerSecond: 1e6,
  requestRttMs: 100,
  failuresPerSecond: 0,
  inFlight: 0,
}
const best = (...others: Partial<StoreOption>[]) =>
  rankStores([usual, ...others.map((changed) => ({ ...usual, store: 'b', ...changed }))], 10e6)[0]?.store

const option: fc.Arbitrary<StoreOption> = fc.record({
  store: fc.uuid(),
  goodputBytesPerSecond: fc.option(fc.double({ min: 1, max: 1e9, noNaN: true }), { nil: undefined }),
  requestRttMs: fc.double({ min: 0, max: 60_000, noNaN: true }),
  failuresPerSecond: fc.double({ min: 0, max: 10, noNaN: true }),
  inFlight: fc.nat({ max: 8 }),
})

test('the expected time is set-up and transfer, over the chance to survive both', () => {
  const [plain] = rankStores([usual], 10e6)
  expect(plain).toMatchObject({ store: 'a', rateBytesPerSecond: 1e6 })
  expect(plain?.expectedMs).toBeCloseTo(10_200)
  const [risky] = rankStores([{ ...usual, failuresPerSecond: 0.05 }], 10e6)
  expect(risky?.expectedMs).toBeCloseTo(10_200 / Math.exp(-0.51))
})

test.each<[string, Partial<StoreOption>]>([
  ['faster', { goodputBytesPerSecond: 2e6 }],
  ['nearer', { requestRttMs: 20 }],
])('a %s store is better', (_what, changed) => {
  expect(best(changed)).toBe('b')
})

test.each<[string, Partial<StoreOption>]>([
  ['slower', { goodputBytesPerSecond: 9e5 }],
  ['farther', { requestRttMs: 300 }],
  ['busier', { inFlight: 1 }],
  ['less reliable', { failuresPerSecond: 0.1 }],
  ['unknown', { goodputBytesPerSecond: undefined }],
])('a %s store is worse', (_what, changed) => {
  expect(best(changed)).toBe('a')
})

test('a store shares its rate between the sessions in flight and the one to come', () => {
  expect(rankStores([{ ...usual, inFlight: 3 }], 1)[0]?.rateBytesPerSecond).toBe(250_000)
})

test('every store is ranked once, by ascending expected time, with numbers only', () => {
  fc.assert(
    fc.property(fc.array(option, { maxLength: 6 }), fc.integer({ min: 0, max: 1e12 }), (options, bytes) => {
      const ranked = rankStores(options, bytes)
      expect(new Set(ranked.map(({ store }) => store))).toEqual(new Set(options.map(({ store }) => store)))
      const times = ranked.map(({ expectedMs }) => expectedMs)
      expect(times).toEqual([...times].sort((a, b) => a - b))
      expect(times.every((time) => Number.isFinite(time) && time >= 0)).toBe(true)
    }),
  )
})

test('the options that are ranked stay as they were', () => {
  const options = [
    { ...usual, store: 'slow', goodputBytesPerSecond: 1 },
    { ...usual, store: 'fast' },
  ]
  const before = structuredClone(options)
  rankStores(options, 1e6)
  expect(options).toEqual(before)
})

test('a store that moves nothing is the worst of all', () => {
  const dead = { ...usual, store: 'dead', goodputBytesPerSecond: 0 }
  expect(rankStores([dead, usual], 1e6)[0]?.store).toBe('a')
})
