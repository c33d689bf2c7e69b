import fc from 'fast-check'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { decidePartitionSize, type SizerInput } from './partition-sizer.js'
import { DEFAULT_LIMITS } from './size-limits.js'

const MIB = 1024 * 1024

/** 4 MiB/s, 100 ms, a failure every 30 s that loses all of it: W* = sqrt(2 · 0.15 · 30) = 3 s, 12 MiB. */
const USUAL: SizerInput = {
  goodputBytesPerSecond: 4 * MIB,
  requestRttMs: 100,
  minRequestRttMs: 50,
  meanTimeBetweenFailuresMs: 30_000,
  lostShare: 1,
  stretch: 1,
  previousBytes: 12 * MIB,
  unassignedBytes: 1024 * MIB,
  concurrency: 2,
  rateShare: 0.5,
  aggregateBytesPerSecond: undefined,
  isAlone: false,
  priority: 'normal',
  initialBytes: MIB,
  limits: DEFAULT_LIMITS,
}
const decide = (changed: Partial<SizerInput>) => decidePartitionSize({ ...USUAL, ...changed })

const blocks = fc.integer({ min: 1, max: 400 }).map((count) => count * BLOCK_SIZE)
const input: fc.Arbitrary<SizerInput> = fc
  .record({
    goodputBytesPerSecond: fc.option(fc.double({ min: 0, max: 1e9, noNaN: true }), { nil: undefined }),
    requestRttMs: fc.double({ min: 0.1, max: 20_000, noNaN: true }),
    minRequestRttMs: fc.double({ min: 0.1, max: 2_000, noNaN: true }),
    meanTimeBetweenFailuresMs: fc.double({ min: 10, max: 1e9, noNaN: true }),
    lostShare: fc.double({ min: 0, max: 1, noNaN: true }),
    lossShare: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
    stretch: fc.double({ min: 0.25, max: 4, noNaN: true }),
    previousBytes: fc.option(blocks, { nil: undefined }),
    unassignedBytes: fc.integer({ min: 1, max: 1e12 }),
    concurrency: fc.integer({ min: 1, max: 16 }),
    rateShare: fc.double({ min: 0, max: 1, noNaN: true }),
    aggregateBytesPerSecond: fc.constant(undefined),
    isAlone: fc.constant(false),
    priority: fc.constantFrom('high' as const, 'normal' as const, 'bulk' as const),
    initialBytes: blocks,
    targetSeconds: fc.option(fc.double({ min: 0.1, max: 60, noNaN: true }), { nil: undefined }),
    min: blocks,
    more: blocks,
  })
  .map(({ min, more, ...rest }) => ({ ...rest, limits: { minSizeBytes: min, maxSizeBytes: min + more } }))

test('whatever the network does, a partition is whole blocks within the limits', () => {
  fc.assert(
    fc.property(input, (given) => {
      const { sizeBytes, windowMs } = decidePartitionSize(given)
      expect(sizeBytes % BLOCK_SIZE).toBe(0)
      expect(sizeBytes >= given.limits.minSizeBytes && sizeBytes <= given.limits.maxSizeBytes).toBe(true)
      expect(Number.isFinite(windowMs) && windowMs > 0).toBe(true)
    }),
  )
})

test('from one partition to the next a size at most doubles, and at most halves while there is enough left', () => {
  const wide = { minSizeBytes: BLOCK_SIZE, maxSizeBytes: 2 ** 40 }
  fc.assert(
    fc.property(input, blocks, (given, previousBytes) => {
      const { sizeBytes, reason } = decidePartitionSize({ ...given, previousBytes, limits: wide })
      expect(sizeBytes).toBeLessThanOrEqual(2 * previousBytes)
      if (reason !== 'endgame') expect(sizeBytes).toBeGreaterThanOrEqual(previousBytes / 2)
    }),
  )
})

test('the first partition of a server is never larger than the initial size', () => {
  fc.assert(
    fc.property(input, (given) => {
      const first = decidePartitionSize({ ...given, previousBytes: undefined })
      expect(first.sizeBytes).toBeLessThanOrEqual(Math.max(given.initialBytes, given.limits.minSizeBytes))
    }),
  )
})

test('nothing known: the first partition has the initial size, and a later one that of the last', () => {
  const unknown = { goodputBytesPerSecond: undefined }
  expect(decide({ ...unknown, previousBytes: undefined })).toMatchObject({ sizeBytes: MIB, reason: 'initial' })
  expect(decide({ ...unknown, previousBytes: 3 * MIB })).toMatchObject({ sizeBytes: 3 * MIB, reason: 'initial' })
})

test('the window is the one that Young and Daly name', () => {
  const { windowMs, sizeBytes, reason } = decide({})
  expect(windowMs).toBeCloseTo(3_000)
  expect(sizeBytes).toBe(12 * MIB)
  expect(reason).toBe('window')
})

test('size follows goodput, a step at a time', () => {
  expect(decide({ goodputBytesPerSecond: 6 * MIB })).toMatchObject({ sizeBytes: 18 * MIB, reason: 'window' })
  expect(decide({ goodputBytesPerSecond: 3 * MIB })).toMatchObject({ sizeBytes: 9 * MIB, reason: 'window' })
  expect(decide({ goodputBytesPerSecond: 64 * MIB })).toMatchObject({ sizeBytes: 24 * MIB, reason: 'growth' })
  expect(decide({ goodputBytesPerSecond: 1 })).toMatchObject({ sizeBytes: 6 * MIB, reason: 'shrink' })
})

test('more goodput never makes a partition smaller', () => {
  fc.assert(
    fc.property(input, fc.double({ min: 0, max: 1e9, noNaN: true }), (given, more) => {
      const goodput = given.goodputBytesPerSecond ?? 0
      const slower = decidePartitionSize({ ...given, goodputBytesPerSecond: goodput })
      const faster = decidePartitionSize({ ...given, goodputBytesPerSecond: goodput + more })
      expect(faster.sizeBytes).toBeGreaterThanOrEqual(slower.sizeBytes)
    }),
  )
})

test('more frequent failures, or failures that lose more, make partitions shorter', () => {
  expect(decide({ meanTimeBetweenFailuresMs: 7_500 }).windowMs).toBeCloseTo(1_500)
  expect(decide({ meanTimeBetweenFailuresMs: 15_000, lostShare: 0.5 }).windowMs).toBeCloseTo(3_000)
  fc.assert(
    fc.property(input, fc.double({ min: 0.01, max: 1, noNaN: true }), (given, share) => {
      const shorter = given.meanTimeBetweenFailuresMs * share
      const worse = decidePartitionSize({ ...given, meanTimeBetweenFailuresMs: shorter })
      expect(worse.windowMs).toBeLessThanOrEqual(decidePartitionSize(given).windowMs)
    }),
  )
})

test('longer round trips make partitions longer, since a request costs more', () => {
  expect(decide({ requestRttMs: 25 }).windowMs).toBeCloseTo(1_500)
  expect(decide({ requestRttMs: 150 }).windowMs).toBeGreaterThan(decide({}).windowMs)
})

test('loss, and partitions that take longer than planned, make the next ones shorter; what is done sooner does not', () => {
  expect(decide({ lossShare: 0.2 }).windowMs).toBeCloseTo(2_400)
  expect(decide({ lossShare: 1 }).windowMs).toBeCloseTo(1_500)
  expect(decide({ stretch: 1.5 }).windowMs).toBeCloseTo(2_000)
  expect(decide({ stretch: 0.5 }).windowMs).toBeCloseTo(3_000)
})

test('without a target, the window stays between 1 and 4 seconds at normal priority on a path that is not long', () => {
  expect(decide({ meanTimeBetweenFailuresMs: 1e12 }).windowMs).toBe(4_000)
  expect(decide({ meanTimeBetweenFailuresMs: 1 }).windowMs).toBe(1_000)
})

test('on a long path a partition takes eight round trips at least, and four near the end: a connection needs some to find its pace', () => {
  const far = { minRequestRttMs: 600, requestRttMs: 600, goodputBytesPerSecond: MIB }
  expect(decide({ ...far, meanTimeBetweenFailuresMs: 1 }).windowMs).toBe(4_800)
  expect(decide({ ...far, meanTimeBetweenFailuresMs: 1e12 }).windowMs).toBe(9_600)
  const end = { unassignedBytes: MIB, previousBytes: 4 * MIB }
  expect(decide({ ...far, ...end })).toMatchObject({ sizeBytes: 2.5 * MIB, reason: 'endgame' })
})

test('no partition is under what the link holds at once: slow start would make a session look as slow as its partitions are small', () => {
  const far = { minRequestRttMs: 600, aggregateBytesPerSecond: 2 * MIB, goodputBytesPerSecond: 0.1 * MIB }
  expect(decide({ ...far, previousBytes: MIB / 2 })).toMatchObject({ sizeBytes: 1.25 * MIB })
  expect(decide({ ...far, previousBytes: MIB / 2, unassignedBytes: MIB })).toMatchObject({ sizeBytes: 1.25 * MIB })
})

test('priority shortens and lengthens the window, also one that the application set', () => {
  const windows = (changed: Partial<SizerInput>) =>
    (['high', 'normal', 'bulk'] as const).map((priority) => decide({ ...changed, priority }).windowMs)
  expect(windows({ targetSeconds: 3 })).toEqual([1_500, 3_000, 6_000])
  const [high = 0, normal = 0, bulk = 0] = windows({})
  expect(high < normal && normal < bulk).toBe(true)
})

test('a target replaces the computed window', () => {
  expect(decide({ targetSeconds: 4 })).toMatchObject({ windowMs: 4_000, sizeBytes: 16 * MIB })
})

test('near the end a partition takes half of its fair share, so that all servers finish together', () => {
  expect(decide({ unassignedBytes: 32 * MIB })).toMatchObject({ sizeBytes: 8 * MIB, reason: 'endgame' })
})

test('near the end the fast take more than the slow, each by what it sends of all', () => {
  const end = { unassignedBytes: 32 * MIB, concurrency: 3 }
  expect(decide({ ...end, rateShare: 0.75 })).toMatchObject({ sizeBytes: 12 * MIB })
  expect(decide({ ...end, rateShare: 0.125, goodputBytesPerSecond: 3 * MIB })).toMatchObject({ sizeBytes: 2 * MIB })
})

test('while no rate is known a small file goes out in one piece', () => {
  const unknown = { goodputBytesPerSecond: undefined, previousBytes: undefined }
  expect(decide({ ...unknown, unassignedBytes: MIB / 2 })).toMatchObject({ sizeBytes: MIB, reason: 'initial' })
})

test('what goes first is shared by all who can send it; where it is all that there is, as ever', () => {
  expect(decide({ urgentBytes: 8 * MIB })).toMatchObject({ sizeBytes: 4 * MIB, reason: 'priority' })
  expect(decide({ urgentBytes: 8 * MIB, concurrency: 4 })).toMatchObject({ sizeBytes: 2 * MIB, reason: 'priority' })
  expect(decide({ urgentBytes: 512 * MIB })).toEqual(decide({}))
  expect(decide({ urgentBytes: USUAL.unassignedBytes })).toEqual(decide({}))
})

test('at the very end requests do not outnumber bytes: a partition still takes 300 ms', () => {
  expect(decide({ unassignedBytes: MIB })).toMatchObject({ sizeBytes: 1.25 * MIB, reason: 'endgame' })
})

test('who sends alone takes all that there is, as whole blocks, within the limits', () => {
  fc.assert(
    fc.property(input, (given) => {
      const { sizeBytes, reason } = decidePartitionSize({ ...given, isAlone: true, targetSeconds: undefined })
      expect(reason).toBe('alone')
      expect(sizeBytes % BLOCK_SIZE).toBe(0)
      const { minSizeBytes, maxSizeBytes } = given.limits
      expect(sizeBytes).toBeGreaterThanOrEqual(Math.min(given.unassignedBytes, maxSizeBytes))
      expect(sizeBytes).toBeLessThan(Math.max(minSizeBytes, given.unassignedBytes) + BLOCK_SIZE)
      expect(sizeBytes).toBeLessThanOrEqual(maxSizeBytes)
    }),
  )
})

test('a time that the application wants for each partition holds for one that sends alone, too', () => {
  expect(decide({ isAlone: true, targetSeconds: 1, previousBytes: 4 * MIB })).toMatchObject({ sizeBytes: 4 * MIB })
})
