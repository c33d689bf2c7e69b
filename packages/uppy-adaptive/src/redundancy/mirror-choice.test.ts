import fc from 'fast-check'
import { expect, test } from 'vitest'
import { drawStores, gammaOf, rankStores, type StoreDraw, type StoreOption } from './mirror-choice.js'

const usual: StoreOption = {
  store: 'a',
  goodputBytesPerSecond: 1e6,
  goodputSpread: 0.2,
  requestRttMs: 100,
  failures: { failures: 0, seconds: 100 },
  inFlight: 0,
}
const best = (...others: Partial<StoreOption>[]) =>
  rankStores([usual, ...others.map((changed) => ({ ...usual, store: 'b', ...changed }))], 10e6)[0]?.store

const option: fc.Arbitrary<StoreOption> = fc.record({
  store: fc.uuid(),
  goodputBytesPerSecond: fc.option(fc.double({ min: 1, max: 1e9, noNaN: true }), { nil: undefined }),
  requestRttMs: fc.double({ min: 0, max: 60_000, noNaN: true }),
  goodputSpread: fc.double({ min: 0, max: 2, noNaN: true }),
  failures: fc.record({
    failures: fc.double({ min: 0, max: 50, noNaN: true }),
    seconds: fc.double({ min: 5, max: 1_000, noNaN: true }),
  }),
  inFlight: fc.nat({ max: 8 }),
})

test('the expected time is set-up and transfer, over the chance to survive both', () => {
  const [plain] = rankStores([usual], 10e6)
  expect(plain).toMatchObject({ store: 'a', rateBytesPerSecond: 1e6 })
  expect(plain?.expectedMs).toBeCloseTo(10_200)
  const [risky] = rankStores([{ ...usual, failures: { failures: 5, seconds: 100 } }], 10e6)
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
  ['less reliable', { failures: { failures: 10, seconds: 100 } }],
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

const normal = fc.double({ min: -8, max: 8, noNaN: true })
const anyDraw: fc.Arbitrary<StoreDraw> = fc.record({
  rate: normal,
  failures: normal,
  tail: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
})
const drawn = (draws: readonly Partial<StoreDraw>[], ...others: Partial<StoreOption>[]) => {
  const ranked = rankStores([usual, ...others.map((changed, at) => ({ ...usual, store: `b${at}`, ...changed }))], 10e6)
  const full = ranked.map((_, at): StoreDraw => ({ rate: 0, failures: 0, tail: 0, ...draws[at] }))
  return drawStores(ranked, 10e6, full).map(({ store }) => store)
}

test('stores that are nearly as good are tried in the order of the draw, as far as each is known', () => {
  const nearly = { goodputBytesPerSecond: 9e5 }
  expect(drawn([], nearly)).toEqual(['a', 'b0'])
  expect(drawn([{ rate: -1 }, { rate: 1 }], nearly)).toEqual(['b0', 'a'])
  // known to a percent, no draw makes up for a tenth
  expect(drawn([{ rate: 0 }, { rate: 3 }], { ...nearly, goodputSpread: 0.01 })).toEqual(['a', 'b0'])
})

test('failures are drawn too: one failure in little time may have been bad luck', () => {
  const failed = { failures: { failures: 0.3, seconds: 15 } }
  expect(drawn([{}, { tail: 0.99 }], failed)).toEqual(['a', 'b0'])
  expect(drawn([{ rate: -0.2 }, { tail: 0.1 }], failed)).toEqual(['b0', 'a'])
})

test('a store that is far slower, that fails, or that nothing is known of is never tried before the best', () => {
  const worse = fc.constantFrom<Partial<StoreOption>>(
    { goodputBytesPerSecond: 5e5, goodputSpread: 2 },
    { goodputBytesPerSecond: 0, goodputSpread: 2 },
    { failures: { failures: 3, seconds: 20 } },
    { goodputBytesPerSecond: undefined, goodputSpread: 2 },
  )
  fc.assert(
    fc.property(worse, anyDraw, anyDraw, (changed, first, second) => {
      expect(drawn([first, second], changed)).toEqual(['a', 'b0'])
    }),
  )
})

test('a draw only changes the order, and with nothing known it changes nothing', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(option, anyDraw), { maxLength: 6 }),
      fc.integer({ min: 0, max: 1e12 }),
      (all, bytes) => {
        const ranked = rankStores(
          all.map(([one]) => one),
          bytes,
        )
        const draws = all.map(([, draw]) => draw)
        const order = drawStores(ranked, bytes, draws)
        expect(new Set(order)).toEqual(new Set(ranked))
        const best = ranked[0]?.expectedMs ?? 0
        expect(order[0]?.expectedMs ?? 0).toBeLessThanOrEqual(1.5 * best + 1e-6)
      },
    ),
  )
  const unknown = { goodputBytesPerSecond: undefined, failures: { failures: 0.25, seconds: 15 } }
  const ranked = rankStores(
    [
      { ...usual, ...unknown },
      { ...usual, ...unknown, store: 'b' },
    ],
    1e6,
  )
  const draw = (rate: number): StoreDraw => ({ rate, failures: 1, tail: 0.5 })
  expect(drawStores(ranked, 1e6, [{ ...draw(-2), failures: 9 }, draw(2)])).toEqual(ranked)
})

test('the drawn failures have the mean and the spread of their Gamma distribution', () => {
  const levels = Array.from({ length: 60 }, (_, at) => (at + 0.5) / 60)
  const normals = levels.map(quantile)
  for (const shape of [0.25, 1, 4]) {
    const values = normals.flatMap((failures) => levels.map((tail) => gammaOf(shape, { failures, tail })))
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length
    expect(mean / shape).toBeCloseTo(1, 1)
    expect(Math.abs(variance / shape - 1)).toBeLessThan(0.1)
  }
  expect(gammaOf(0, { failures: 0, tail: 0.5 })).toBe(0)
})

/** By numeric integration of the density from the middle. */
function quantile(level: number): number {
  const step = 1e-3
  let [x, area] = [0, 0]
  const aim = Math.abs(level - 0.5)
  while (area < aim) {
    area += (step * Math.exp(-((x + step / 2) ** 2) / 2)) / Math.sqrt(2 * Math.PI)
    x += step
  }
  return level < 0.5 ? -x : x
}
