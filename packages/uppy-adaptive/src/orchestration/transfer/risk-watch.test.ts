import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test, vi } from 'vitest'
import type { PlannedSession } from '../../partitioning/partition-plan.js'
import { TransferRig } from '../../testing/transfer-rig.js'
import { OperationError } from '../ports.js'

const STEP_MS = 100
const RATE = 2_000_000

/** Lets sessions' bytes arrive at these rates (bytes per second) while the transfer watches them. */
async function flow(
  rig: TransferRig,
  ms: number,
  rates: readonly (readonly [PlannedSession, number])[],
): Promise<void> {
  for (const untilMs = rig.clock.now() + ms; rig.clock.now() < untilMs; ) {
    await rig.clock.run(STEP_MS)
    const nowMs = rig.clock.now()
    for (const [{ session }, rate] of rates) {
      const acked = rig.context.plan.session(session)?.acked
      if (acked !== undefined) rig.context.acknowledge(session, acked + (rate * STEP_MS) / 1000)
    }
    if (nowMs % 250 === 0) rig.context.model.tick({ nowMs })
    rig.parts.watch.score(nowMs, nowMs % 250 === 0)
    rig.parts.watch.treat(nowMs)
  }
}

/** Blocks of a session: more than it sends in any of these tests. */
const THIRD = 96

/** Three servers, each with a session of a third of the file, all at work; s1 falls silent unless `rate` says otherwise. */
async function silentS1(o: { unassigned?: boolean; addresses?: readonly number[]; redundancy?: false } = {}) {
  const options = o.redundancy === false ? { redundancy: false as const } : {}
  const rig = new TransferRig({
    addresses: o.addresses ?? [1, 1, 1],
    blocks: 3 * THIRD + (o.unassigned ? 8 : 0),
    options,
  })
  const sessions = [0, 1, 2].map((i) => rig.begin({ store: `s${i}`, first: i * THIRD, last: (i + 1) * THIRD }))
  const [s0, s1, s2] = sessions as [PlannedSession, PlannedSession, PlannedSession]
  await flow(rig, 4_000, [
    [s0, RATE],
    [s1, RATE],
    [s2, RATE],
  ])
  return { rig, s0, s1, s2 }
}

test('sessions that all move get no remedy', async () => {
  const { rig } = await silentS1({ unassigned: true })
  for (const type of ['takeOver', 'copy', 'split', 'reconnect', 'failed'] as const) expect(rig.logged(type)).toEqual([])
})

test('the rest of a silent session is taken over while there is unsent work; its store is in suspicion', async () => {
  const { rig, s0, s1, s2 } = await silentS1({ unassigned: true })
  const acked = rig.context.plan.session(s1.session)?.acked ?? 0
  await flow(rig, 4_000, [
    [s0, RATE],
    [s2, RATE],
  ])
  const [takeOver] = rig.logged('takeOver')
  expect(takeOver).toMatchObject({ session: s1.session, server: 1, reason: expect.stringContaining('silent') })
  expect(takeOver?.range).toEqual({ start: Math.floor(acked / BLOCK_SIZE) * BLOCK_SIZE, end: s1.end })
  expect(rig.store('s1').state).toBe('suspect')
  expect(rig.context.plan.session(s1.session)).toBeUndefined()
  expect(rig.context.statuses.get(s1.session)?.status).toBe('failed')
})

test('its server is told to drop it, through another server while it is silent', async () => {
  const { rig, s0, s1, s2 } = await silentS1({ unassigned: true })
  await flow(rig, 5_000, [
    [s0, RATE],
    [s2, RATE],
  ])
  expect(rig.port().operations).toContainEqual(
    expect.objectContaining({
      op: 'plan',
      store: 's1',
      changes: [expect.objectContaining({ session: s1.session, drop: true })],
    }),
  )
})

test('with nothing unsent the silent session is copied within the budget, once, by a server that has room', async () => {
  const rig = new TransferRig({ addresses: [1, 1, 1], blocks: 2 * THIRD + 4 })
  const s0 = rig.begin({ store: 's0', first: 0, last: THIRD })
  const s1 = rig.begin({ store: 's1', first: THIRD, last: THIRD + 4 })
  const s2 = rig.begin({ store: 's2', first: THIRD + 4, last: 2 * THIRD + 4 })
  await flow(rig, 300, [
    [s0, RATE],
    [s1, RATE],
    [s2, RATE],
  ])
  await flow(rig, 4_000, [
    [s0, RATE],
    [s2, RATE],
  ])
  const copies = rig.logged('copy')
  expect(copies).toHaveLength(1)
  expect(copies[0]).toMatchObject({ of: s1.session, from: 1, reason: expect.stringContaining('nothing is unsent') })
  expect(copies[0]?.server).not.toBe(1)
  expect(rig.context.plan.session(s1.session)).toBeDefined()
})

test('which of two servers that are as good takes the copy is decided by chance', async () => {
  const takerOf = async (draws: readonly number[]) => {
    const rig = new TransferRig({ addresses: [1, 1, 1], blocks: 2 * THIRD + 4 })
    let drawn = 0
    vi.spyOn(rig.context.randomness, 'uniform').mockImplementation(() => draws[drawn++ % draws.length] ?? 0)
    const s0 = rig.begin({ store: 's0', first: 0, last: THIRD })
    rig.begin({ store: 's1', first: THIRD, last: THIRD + 4 })
    const s2 = rig.begin({ store: 's2', first: THIRD + 4, last: 2 * THIRD + 4 })
    await flow(rig, 4_300, [
      [s0, RATE],
      [s2, RATE],
    ])
    return rig.logged('copy')[0]?.server
  }
  // of each server two for its rate, a fast and a slow one, and one for its failures
  const [fast, slow] = [
    [0.9, 0, 0.5],
    [0.9, 0.5, 0.5],
  ] as const
  expect(await takerOf([...fast, ...slow])).toBe(0)
  expect(await takerOf([...slow, ...fast])).toBe(2)
})

test('the byte budget counts a copy from the block that it begins with', async () => {
  // two and a quarter blocks are missing, three would be sent: the budget is between
  const options = { partitioning: { initialSize: 1.25 * BLOCK_SIZE } }
  const rig = new TransferRig({
    addresses: [1, 1, 1],
    blocks: 2 * THIRD + 4,
    options: { ...options, redundancy: { budget: 0 } },
  })
  const s0 = rig.begin({ store: 's0', first: 0, last: THIRD })
  const s1 = rig.begin({ store: 's1', first: THIRD, last: THIRD + 4 })
  const s2 = rig.begin({ store: 's2', first: THIRD + 4, last: 2 * THIRD + 4 })
  rig.context.acknowledge(s1.session, s1.start + 1.75 * BLOCK_SIZE)
  await flow(rig, 6_000, [
    [s0, RATE],
    [s2, RATE],
  ])
  expect(rig.logged('copy')).toEqual([])
  expect([...rig.logged('withheld'), ...rig.logged('takeOver')].map(({ reason }) => reason).join()).toContain('budget')
})

test('a copy waits for room at its server: the concurrency limit binds it too', async () => {
  const rig = new TransferRig({ addresses: [1, 1], blocks: 2 * THIRD + 4, options: { maxSessions: 3 } })
  const s1 = rig.begin({ store: 's1', first: 0, last: 4 })
  const s0 = rig.begin({ store: 's0', first: 4, last: THIRD + 4 })
  const other = rig.begin({ store: 's0', first: THIRD + 4, last: 2 * THIRD + 4 })
  await flow(rig, 300, [
    [s0, RATE],
    [other, RATE],
    [s1, RATE],
  ])
  await flow(rig, 4_000, [
    [s0, RATE],
    [other, RATE],
  ])
  expect(rig.parts.starter.room('s0')).toBe(0)
  expect(rig.logged('copy')).toEqual([])
  rig.context.acknowledge(other.session, other.end)
  rig.context.plan.verify([{ start: other.start, end: other.end }])
  rig.parts.outcomes.completeVerified()
  await flow(rig, 1_000, [[s0, RATE]])
  expect(rig.logged('copy')).toMatchObject([{ of: s1.session, store: 's0' }])
})

test('redundancy off starts no copy', async () => {
  const { rig, s0, s2 } = await silentS1({ redundancy: false })
  await flow(rig, 6_000, [
    [s0, RATE],
    [s2, RATE],
  ])
  expect(rig.logged('copy')).toEqual([])
})

test('a silent session goes on by another address of its store that answers', async () => {
  const { rig, s0, s1, s2 } = await silentS1({ addresses: [1, 2, 1], unassigned: true })
  const silentSince = rig.clock.now()
  while (rig.logged('reconnect').length === 0 && rig.clock.now() < silentSince + 5_000) {
    rig.route('s1', 1).heardAtMs = rig.clock.now()
    await flow(rig, STEP_MS, [
      [s0, RATE],
      [s2, RATE],
    ])
  }
  expect(rig.logged('reconnect')).toMatchObject([
    { session: s1.session, remedy: 'otherRoute', endpoint: 'http://s1-1.test/files' },
  ])
  expect(rig.store('s1').route).toBe(rig.route('s1', 1))
  expect(rig.logged('takeOver')).toEqual([])
  // what the new connection asks goes by the new address
  await rig.clock.run(0)
  expect(rig.port('s1', 1).attempts).toMatchObject([{ body: undefined, partition: { session: s1.session } }])
})

/** s1 answers what it is asked by other connections, after so long each time, while its session is silent and others move. */
async function answered(
  { rig, s0, s2 }: Awaited<ReturnType<typeof silentS1>>,
  { forMs, tookMs = 20 }: { forMs: number; tookMs?: number },
): Promise<void> {
  for (const untilMs = rig.clock.now() + forMs; rig.clock.now() < untilMs; ) {
    const [nowMs, route] = [rig.clock.now(), rig.route('s1')]
    route.heardAtMs = nowMs
    route.answering.note({ nowMs, askedMs: nowMs - tookMs, rtoMs: 0 })
    rig.context.model.heard({ nowMs, store: 's1' })
    await flow(rig, STEP_MS, [
      [s0, RATE],
      [s2, RATE],
    ])
  }
}

test('a session that is silent while its server answers gets a fresh connection, and time for it', async () => {
  const world = await silentS1({ unassigned: true })
  const { rig, s1 } = world
  const silentSinceMs = rig.clock.now()
  while (rig.logged('reconnect').length === 0 && rig.clock.now() < 20_000) await answered(world, { forMs: STEP_MS })
  expect(rig.logged('reconnect')).toMatchObject([{ session: s1.session, remedy: 'freshConnection' }])
  expect(rig.clock.now() - silentSinceMs).toBeLessThanOrEqual(2_000)
  await answered(world, { forMs: 1_400 })
  expect([rig.logged('reconnect').length, rig.logged('takeOver').length]).toEqual([1, 0])
})

test('a session that is silent on a slow link, where small answers take their time, is left alone for longer', async () => {
  const world = await silentS1({ unassigned: true })
  // three sessions share it
  await answered(world, { forMs: 5_400, tookMs: 400 })
  expect(world.rig.logged('reconnect')).toEqual([])
  await answered(world, { forMs: 1_000, tookMs: 400 })
  expect(world.rig.logged('reconnect')).toHaveLength(1)
})

test('answers that waited for the link do not count: its darkness is no silence of a connection', async () => {
  const world = await silentS1({ unassigned: true })
  await answered(world, { forMs: 3_000, tookMs: 600 })
  expect([world.rig.logged('reconnect'), world.rig.logged('takeOver')]).toEqual([[], []])
})

test('where an event stream has broken off, no session is ended before a new one could tell of its bytes', async () => {
  const world = await silentS1({ unassigned: true })
  const { rig } = world
  rig.store('s1').tellsSinceMs = Number.POSITIVE_INFINITY
  await answered(world, { forMs: 2_500 })
  rig.store('s1').tellsSinceMs = rig.clock.now()
  await answered(world, { forMs: 700 })
  expect([rig.logged('reconnect'), rig.logged('takeOver')]).toEqual([[], []])
  await answered(world, { forMs: 300 })
  expect(rig.logged('reconnect')).toHaveLength(1)
})

test('an event stream that does not come back is not waited for', async () => {
  const world = await silentS1({ unassigned: true })
  world.rig.store('s1').tellsSinceMs = Number.POSITIVE_INFINITY
  await answered(world, { forMs: 2_700 })
  expect(world.rig.logged('reconnect')).toEqual([])
  await answered(world, { forMs: 400 })
  expect(world.rig.logged('reconnect')).toHaveLength(1)
})

/** s1 sends a twentieth of what the others do; of the end that it is asked to keep its server says which one holds. */
async function slowS1(o: { unassigned: boolean; heldOf?: (end: number) => number }) {
  const world = await silentS1(o)
  const { rig, s0, s1, s2 } = world
  const held = (change: { session: string; end?: number }) => {
    const { session, end = 0 } = change
    return { session, end: o.heldOf?.(end) ?? end }
  }
  rig.port('s1').onOperation = (request) => {
    if (request.op !== 'plan') throw new OperationError({ status: 503, code: 'busy', message: 'not asked' })
    return { sessions: request.changes.map((change) => ({ ...held(change), offset: 0, state: 'inProgress' as const })) }
  }
  await flow(rig, 6_000, [
    [s0, RATE],
    [s1, RATE / 20],
    [s2, RATE],
  ])
  const asked = rig.port('s1').operations.flatMap((request) => (request.op === 'plan' ? request.changes : []))
  return { ...world, asked }
}

test('the tail of a slow session moves; what it can soon send it keeps', async () => {
  const { rig, s1, asked } = await slowS1({ unassigned: true })
  expect(rig.logged('split')[0]).toMatchObject({
    session: s1.session,
    oldEnd: s1.end,
    reason: expect.stringContaining('slow'),
  })
  const split = rig.logged('split').at(-1)
  expect(rig.context.plan.session(s1.session)?.end).toBe(split?.newEnd)
  expect(asked).toContainEqual({ session: s1.session, end: split?.newEnd })
})

test('while others have work a tail moves once its server has said from where on, so that nothing arrives twice', async () => {
  const { rig, s1, asked } = await slowS1({ unassigned: true, heldOf: (end) => end + 2 * BLOCK_SIZE })
  const splits = rig.logged('split')
  expect(rig.context.plan.session(s1.session)?.end).toBe(splits.at(-1)?.newEnd)
  expect(asked[0]).toEqual({ session: s1.session, end: (splits[0]?.newEnd ?? 0) - 2 * BLOCK_SIZE })
  expect(rig.logged('warning')).toEqual([])
})

test('when all fall silent together nobody is blamed: no copy, no take-over', async () => {
  const { rig } = await silentS1({ unassigned: true })
  await flow(rig, 8_000, [])
  expect([rig.logged('copy'), rig.logged('takeOver')]).toEqual([[], []])
  expect(rig.directory.stores().map((store) => store.state)).toEqual(['ready', 'ready', 'ready'])
})

test('a machine that slept blames nobody', async () => {
  const { rig, s0, s1, s2 } = await silentS1({ unassigned: true })
  rig.clock.advance(60_000)
  rig.context.model.localPause({ nowMs: rig.clock.now(), gapMs: 60_000 })
  rig.parts.watch.score(rig.clock.now(), false)
  rig.parts.watch.treat(rig.clock.now())
  await flow(rig, 1_000, [
    [s0, RATE],
    [s1, RATE],
    [s2, RATE],
  ])
  for (const type of ['takeOver', 'copy', 'split', 'reconnect'] as const) expect(rig.logged(type)).toEqual([])
})

test('a store in suspicion is trusted again once it was heard and none of its sessions is silent', async () => {
  const { rig, s0, s2 } = await silentS1({ unassigned: true })
  await flow(rig, 4_000, [
    [s0, RATE],
    [s2, RATE],
  ])
  expect(rig.store('s1').state).toBe('suspect')
  rig.parts.watch.trustAnswering()
  expect(rig.store('s1').state).toBe('suspect')
  rig.context.model.heard({ nowMs: rig.clock.now(), store: 's1' })
  rig.route('s1').heardAtMs = rig.clock.now()
  rig.parts.watch.trustAnswering()
  expect(rig.store('s1').state).toBe('ready')
})
