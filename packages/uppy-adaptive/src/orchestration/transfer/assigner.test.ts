import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import type { StoreView } from 'upload-predictor'
import { expect, test, vi } from 'vitest'
import { PartitionHistory } from '../../partitioning/partition-history.js'
import type { PlannedSession } from '../../partitioning/partition-plan.js'
import { blocks, TransferRig } from '../../testing/transfer-rig.js'

/** s1's session was split: it has sent what it kept, and s0 is at work. Its tail was to take 5 s more at s1. */
function afterSplit() {
  const rig = new TransferRig({ addresses: [1, 1], blocks: 40 })
  const { starter, assigner, watch, flow } = rig.parts
  vi.spyOn(flow, 'limit', 'get').mockReturnValue(2)
  // each host takes one at a time, as where it has no more connections
  vi.spyOn(starter, 'hasRoom').mockImplementation((store) => starter.sending(store) === 0)
  const atWork = rig.begin({ store: 's0', first: 0, last: 20 })
  const victim = rig.begin({ store: 's1', first: 20, last: 40 })
  watch.score(rig.clock.now(), true)
  const assessment = watch.assessmentOf(victim.session)
  if (!assessment) throw new Error('not assessed')
  starter.split(victim, 22 * BLOCK_SIZE, { reason: 'slow', assessment: { ...assessment, expectedRemainingMs: 5_000 } })
  rig.context.acknowledge(victim.session, 22 * BLOCK_SIZE)
  assigner.pass()
  return { rig, atWork, assigner }
}

const takers = (rig: TransferRig) =>
  rig
    .logged('session')
    .filter(({ start }) => start === 22 * BLOCK_SIZE)
    .map(({ store }) => store)

test('a split tail does not go back to the store that it was split off, though that is free first', () => {
  const { rig, atWork, assigner } = afterSplit()
  expect(takers(rig)).toEqual([])
  rig.context.acknowledge(atWork.session, atWork.end)
  assigner.pass()
  expect(takers(rig)).toEqual(['s0'])
})

test('who would have sent it by now may have it after all', async () => {
  const { rig, assigner } = afterSplit()
  await rig.clock.run(4_999)
  assigner.pass()
  expect(takers(rig)).toEqual([])
  await rig.clock.run(1)
  assigner.pass()
  expect(takers(rig)).toEqual(['s1'])
})

test('with nobody else to send it, the store goes on with its own tail', () => {
  const { rig, assigner } = afterSplit()
  rig.directory.suspect('s0', 'silent', rig.clock.now())
  assigner.pass()
  expect(takers(rig)).toEqual(['s1'])
})

test('a server that has handed over all it has takes nothing from its own session', async () => {
  const rig = new TransferRig({ blocks: 40 })
  const { starter, assigner, watch } = rig.parts
  const session = rig.begin({ last: 40 })
  for (let block = 1; block <= 10; block++) {
    await rig.clock.run(100)
    rig.context.model.acknowledged({ nowMs: rig.clock.now(), session: session.session, bytes: BLOCK_SIZE })
    rig.context.plan.acknowledge(session.session, block * BLOCK_SIZE)
  }
  watch.score(rig.clock.now(), true)
  const assessment = watch.assessmentOf(session.session)
  if (!assessment) throw new Error('not assessed')
  vi.spyOn(watch, 'assessmentOf').mockReturnValue({
    ...assessment,
    expectedRemainingMs: 60_000,
    rateBytesPerSecond: 1e5,
  })
  vi.spyOn(starter, 'sending').mockReturnValue(0)
  assigner.pass()
  expect(rig.logged('split')).toEqual([])
})

const sent = (rig: TransferRig) => rig.logged('session').map(({ start, end }) => ({ start, end }))

test('what is urgent goes first, shared by all servers, and then the rest in its order', () => {
  const priority = [
    { start: 0, end: BLOCK_SIZE, priority: 'bulk' },
    { start: -6 * BLOCK_SIZE, priority: 'high' },
  ] as const
  const rig = new TransferRig({
    addresses: [1, 1, 1],
    blocks: 40,
    options: { priority, partitioning: { initialSize: 8 * BLOCK_SIZE } },
  })
  rig.parts.assigner.pass()
  expect(sent(rig)).toEqual([blocks(34, 36), blocks(36, 37), blocks(37, 38)])
  expect(rig.logged('session').map(({ reason }) => reason)).toEqual(['priority', 'priority', 'priority'])
  rig.begin({ first: 38, last: 40 })
  const { context } = rig
  for (const { session, end } of context.plan.sessions()) context.acknowledge(session, end)
  rig.parts.assigner.pass()
  // the rest is of normal priority from the second block on
  expect(sent(rig)[4]?.start).toBe(BLOCK_SIZE)
})

test('one server alone gets what is urgent first, then what was before it, then what was behind it', () => {
  const priority = [{ start: 10 * BLOCK_SIZE, end: 12 * BLOCK_SIZE, priority: 'high' }] as const
  const rig = new TransferRig({ blocks: 40, options: { priority } })
  const { context } = rig
  rig.parts.assigner.pass()
  expect(sent(rig)).toEqual([blocks(10, 12)])
  for (const { session, end } of context.plan.sessions()) context.acknowledge(session, end)
  rig.parts.assigner.pass()
  expect(sent(rig)).toEqual([blocks(10, 12), blocks(0, 10)])
})

test('a head goes with the rest in one request where one server is alone: it is first in any case', () => {
  const priority = [{ start: 0, end: 2 * BLOCK_SIZE, priority: 'high' }] as const
  const rig = new TransferRig({ blocks: 40, options: { priority } })
  rig.parts.assigner.pass()
  expect(sent(rig)).toEqual([blocks(0, 40)])
})

test('beside other uploads a file counts as what it sends next', () => {
  const priority = [{ start: 0, end: 2 * BLOCK_SIZE, priority: 'high' }] as const
  const rig = new TransferRig({
    addresses: [1, 1],
    blocks: 40,
    options: { priority, partitioning: { initialSize: BLOCK_SIZE } },
  })
  const { share } = rig.context
  expect(share.priority).toBe('high')
  rig.parts.assigner.pass()
  expect(share.priority).toBe('normal')
})

type RigOptions = NonNullable<ConstructorParameters<typeof TransferRig>[0]>['options']

interface Known {
  readonly view?: Partial<StoreView>
  readonly history?: (history: PartitionHistory) => void
  readonly options?: RigOptions
}

/** The first partitions of two stores of which much is known, of s1 with something of that changed. */
function partitionsOfKnown({ view: changed, history: teach, options = {} }: Known) {
  const rig = new TransferRig({ addresses: [1, 1], blocks: 4_000, options })
  const { model, histories } = rig.context
  const usual = { goodputBytesPerSecond: 4e6, requestRttMs: 100, meanTimeBetweenFailuresMs: 20_000, lossShare: 0 }
  const view = model.store('s1')
  vi.spyOn(model, 'store').mockImplementation((id) => ({ ...view, ...usual, ...(id === 's1' ? changed : {}) }))
  const history = new PartitionHistory()
  teach?.(history)
  histories.set('s1', history)
  rig.parts.assigner.pass()
  return rig.logged('session')
}

/** What s1's aims at. */
const windowOf = (known: Known) => partitionsOfKnown(known).find(({ store }) => store === 's1')?.windowMs ?? 0

test('the window follows what is known of its store: round trips, failures, what they cost, loss, and how long partitions took', () => {
  const usual = windowOf({})
  expect(usual).toBeCloseTo(Math.sqrt(2 * 150 * 20_000))
  expect(windowOf({ view: { requestRttMs: 140 } })).toBeGreaterThan(usual)
  expect(windowOf({ view: { meanTimeBetweenFailuresMs: 10_000 } })).toBeLessThan(usual)
  expect(windowOf({ view: { lossShare: 0.3 } })).toBeLessThan(usual)
  expect(windowOf({ history: (history) => history.broken({ tookMs: 1_000, lostMs: 100 }) })).toBeGreaterThan(usual)
  expect(windowOf({ history: (history) => history.completed({ tookMs: 3_000, plannedMs: 1_000 }) })).toBeLessThan(usual)
})

test('sizes and times that the application sets are those of the first partitions', () => {
  const sizeOf = (partitioning: NonNullable<RigOptions>['partitioning'] = {}) => {
    const [first] = partitionsOfKnown({ options: { partitioning } })
    return first && (first.end - first.start) / BLOCK_SIZE
  }
  expect(sizeOf()).toBe(4)
  expect(sizeOf({ initialSize: 3 * BLOCK_SIZE })).toBe(3)
  expect(sizeOf({ maxSize: 2 * BLOCK_SIZE })).toBe(2)
  expect(sizeOf({ minSize: 7 * BLOCK_SIZE })).toBe(7)
  expect(windowOf({ options: { partitioning: { targetSeconds: 9 } } })).toBe(9_000)
})

test('what somebody waits for aims at shorter partitions than what is stored', () => {
  const [high = 0, normal = 0, bulk = 0] = (['high', 'normal', 'bulk'] as const).map((priority) =>
    windowOf({ options: { priority } }),
  )
  expect(high).toBeLessThan(normal)
  expect(normal).toBeLessThan(bulk)
})

test('of servers that are nearly as good chance decides who is first, as far as they are known', () => {
  const firstOf = (draws: readonly number[]) => {
    const rig = new TransferRig({ addresses: [1, 1], blocks: 4_000 })
    const { model, randomness } = rig.context
    const view = { ...model.store('s0'), goodputBytesPerSecond: 4e6, goodputSpread: 0.5, requestRttMs: 100 }
    vi.spyOn(model, 'store').mockReturnValue(view)
    const uniform = vi.spyOn(randomness, 'uniform')
    for (const draw of draws) uniform.mockReturnValueOnce(draw)
    rig.parts.assigner.pass()
    return rig.logged('session')[0]?.store
  }
  // of each store two for its rate, a fast and a slow one, and one for its failures
  const [fast, slow] = [
    [0.9, 0, 0.5],
    [0.9, 0.5, 0.5],
  ] as const
  expect(firstOf([...fast, ...slow])).toBe('s0')
  expect(firstOf([...slow, ...fast])).toBe('s1')
})

test('a server that nothing is known of goes last where nobody sends, and first beside one that does', () => {
  const rig = new TransferRig({ addresses: [1, 1, 1], blocks: 4_000 })
  const { model } = rig.context
  const view = model.store('s0')
  vi.spyOn(model, 'store').mockImplementation((id) => ({
    ...view,
    goodputBytesPerSecond: id === 's1' ? undefined : 4e6,
    requestRttMs: 100,
  }))
  rig.parts.assigner.pass()
  expect(rig.logged('session').map(({ store }) => store)).toEqual(['s0', 's1', 's2'])
})

test('however fast a store is, its next partition is at most twice the last one', () => {
  const rig = new TransferRig({ addresses: [1, 1], blocks: 4_000 })
  const { model } = rig.context
  const view = model.store('s0')
  vi.spyOn(model, 'store').mockReturnValue({ ...view, goodputBytesPerSecond: 1e9, requestRttMs: 100 })
  // so fast that each is as good as sent when it begins
  rig.parts.assigner.pass()
  const begun = rig.logged('session').filter(({ store }) => store === 's0')
  expect(begun.slice(0, 3).map(({ start, end }) => (end - start) / BLOCK_SIZE)).toEqual([4, 8, 16])
})

/** Blocks of s0's second partition, where something has become of the first, of 8, before all of that was there. */
function blocksAfter(happen: (rig: TransferRig, first: PlannedSession) => void): number | undefined {
  const rig = new TransferRig({
    addresses: [1, 1],
    blocks: 4_000,
    options: { partitioning: { initialSize: 8 * BLOCK_SIZE } },
  })
  const { context, parts } = rig
  const view = context.model.store('s0')
  vi.spyOn(context.model, 'store').mockReturnValue({ ...view, goodputBytesPerSecond: 4e6, requestRttMs: 100 })
  parts.assigner.pass()
  const first = context.plan.sessions().find(({ store }) => store === 's0')
  if (!first) throw new Error('not begun')
  happen(rig, first)
  parts.assigner.pass()
  for (const { session, end } of context.plan.sessions()) context.acknowledge(session, end)
  parts.assigner.pass()
  const second = rig.logged('session').filter(({ store }) => store === 's0')[1]
  return second && (second.end - second.start) / BLOCK_SIZE
}

test('the next partition of a store starts from what its last one was, or was left by a split', () => {
  expect(blocksAfter(() => {})).toBe(16)
  const split = ({ parts }: TransferRig, first: PlannedSession) => {
    parts.watch.score(0, true)
    const assessment = parts.watch.assessmentOf(first.session)
    if (!assessment) throw new Error('not assessed')
    parts.starter.split(first, first.start + 3 * BLOCK_SIZE, { reason: 'slow', assessment })
  }
  expect(blocksAfter(split)).toBe(6)
})

test('a store that is back from suspicion begins with a small partition, whatever it carried before', () => {
  const suspect = ({ directory, clock }: TransferRig) => {
    directory.suspect('s0', 'silent', clock.now())
    directory.trust('s0', 'it answers')
  }
  expect(blocksAfter(suspect)).toBe(8)
})

/** Bytes of the first partitions of a fast and of a ten times slower store, of `count` blocks that are left. */
function nearTheEnd(count: number, path: { isFree?: boolean; isSaturated?: boolean }) {
  const rig = new TransferRig({ addresses: [1, 1], blocks: count, options: { partitioning: { initialSize: 2 ** 30 } } })
  const { model } = rig.context
  const view = { ...model.store('s0'), requestRttMs: 100, meanTimeBetweenFailuresMs: 1e12 }
  const rateOf = (id: string) => (id === 's0' ? 4e6 : 4e5)
  vi.spyOn(model, 'store').mockImplementation((id) => ({ ...view, goodputBytesPerSecond: rateOf(id) }))
  vi.spyOn(rig.parts.flow, 'isFree').mockReturnValue(path.isFree ?? false)
  vi.spyOn(rig.parts.flow, 'isSaturated', 'get').mockReturnValue(path.isSaturated ?? false)
  rig.parts.assigner.pass()
  const bytesOf = (store: string) => {
    const first = rig.logged('session').find((session) => session.store === store)
    return first && (first.end - first.start) / BLOCK_SIZE
  }
  return { fast: bytesOf('s0'), slow: bytesOf('s1') }
}

test('near the end each store takes its part by its rate, where rates last: all paths have a queue', () => {
  expect(nearTheEnd(60, { isSaturated: true })).toEqual({ fast: 27, slow: 2 })
  // what was just lost set the pace: an equal share of the fast one, and no more than its own of the slow one
  expect(nearTheEnd(60, {}).fast).toBe(15)
  expect(nearTheEnd(60, {}).slow).toBeLessThanOrEqual(2)
  expect(nearTheEnd(60, { isFree: true })).toEqual({ fast: 15, slow: 6 })
})

test('a store that would end last is left idle, unless what it lost made it slow', () => {
  expect(nearTheEnd(8, { isSaturated: true }).slow).toBeUndefined()
  expect(nearTheEnd(8, { isFree: true }).slow).toBeGreaterThan(0)
})
