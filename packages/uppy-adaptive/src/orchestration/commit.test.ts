import type { CommitAnswer, GroupOperationRequest } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { sha256 } from '../testing/known-bytes.js'
import { silence } from '../testing/scripted-port.js'
import { blocks, broken, refusal, statusOf, TransferRig } from '../testing/transfer-rig.js'
import type { CommitOutcome } from './commit.js'
import { runCommit } from './commit.js'

const COMMITTED: CommitAnswer = {
  state: 'committed',
  url: 'http://s0-0.test/files/g',
  pulledAtCommit: 0,
  pulledEarly: 5,
}
const ALL = [blocks(0, 8)]

/** A transfer whose every block is verified. */
function verified(o: ConstructorParameters<typeof TransferRig>[0] = {}): TransferRig {
  const rig = new TransferRig(o)
  rig.context.plan.verify(ALL)
  return rig
}

function committing(rig: TransferRig): Promise<CommitOutcome> {
  return rig.clock.settle(runCommit(rig.context, rig.parts.operations, sha256))
}

/** Answers `commit` by these in turn, the last for ever; `status` says that the home holds all. */
function answering(rig: TransferRig, ...answers: (() => CommitAnswer | Promise<never>)[]): void {
  rig.port().onOperation = ({ op }: GroupOperationRequest) => {
    if (op === 'status') return statusOf({ stored: ALL, verified: ALL })
    return ((answers.length > 1 ? answers.shift() : answers[0]) ?? silence)()
  }
}

const committed = (): CommitAnswer => COMMITTED
const pulling = (missingBytes: number) => (): CommitAnswer => ({ state: 'pulling', missingBytes })
const incomplete = (first: number, last: number) => (): CommitAnswer => ({
  ...{ state: 'incomplete', missing: [blocks(first, last)], bad: [] },
})

test('a home that holds every block makes the file', async () => {
  const rig = verified()
  rig.context.atHome = ALL
  answering(rig, committed)
  expect(await committing(rig)).toMatchObject({ kind: 'committed', url: COMMITTED.url, pulledEarly: 5, pullWaitMs: 0 })
  expect(rig.port().asked).toEqual(['commit'])
  const types = rig.events.map((event) => event.type).filter((type) => type.startsWith('commit'))
  expect(types).toEqual(['committing', 'committed'])
})

test('the commit waits until the home has pulled its peers’ last blocks', async () => {
  const rig = verified({ addresses: [1, 1] })
  rig.context.atHome = [blocks(0, 4)]
  let asked = 0
  rig.port().onOperation = ({ op }) => {
    if (op === 'commit') return COMMITTED
    asked += 1
    return statusOf({ stored: [blocks(0, 4 + asked)] })
  }
  const outcome = await committing(rig)
  expect(rig.port().asked).toEqual(['status', 'status', 'status', 'status', 'commit'])
  expect(outcome).toMatchObject({ pullWaitMs: 100 })
})

test('that wait has an end: then the commit itself waits', async () => {
  const rig = verified()
  rig.port().onOperation = ({ op }) => (op === 'commit' ? COMMITTED : statusOf())
  expect(await committing(rig)).toMatchObject({ kind: 'committed', pullWaitMs: 3_000 })
})

test('a commit whose answer was lost is asked for again and has happened once', async () => {
  const rig = verified()
  answering(rig, broken, committed)
  expect(await committing(rig)).toMatchObject({ kind: 'committed', url: COMMITTED.url })
  expect(rig.port().asked.filter((op) => op === 'commit')).toHaveLength(2)
})

test('a home whose path is dead is asked through a mirror', async () => {
  const rig = verified({ addresses: [1, 1] })
  rig.port('s1').onOperation = ({ op }) => (op === 'commit' ? COMMITTED : statusOf({ stored: ALL }))
  expect(await committing(rig)).toMatchObject({ kind: 'committed' })
  expect(rig.logged('relayed').map((event) => event.operation)).toContain('commit')
})

test('blocks that we saw verified may be news to the home for a while', async () => {
  const rig = verified()
  answering(rig, incomplete(2, 3), incomplete(2, 3), committed)
  expect(await committing(rig)).toMatchObject({ kind: 'committed' })
  expect(rig.clock.now()).toBeLessThan(1_000)
})

test('a store that said verified and lied: after ten seconds the home’s word counts', async () => {
  const rig = verified()
  answering(rig, incomplete(2, 3))
  expect(await committing(rig)).toEqual({ kind: 'incomplete', missing: [blocks(2, 3)], bad: [] })
  expect(rig.clock.now()).toBeGreaterThan(10_000)
})

test('what nobody saw verified is missing at once', async () => {
  const rig = verified()
  rig.context.plan.discard([blocks(7, 8)])
  answering(rig, incomplete(7, 8))
  expect(await committing(rig)).toMatchObject({ kind: 'incomplete' })
  expect(rig.clock.now()).toBeLessThan(1_000)
})

test('a home that pulls and gets nothing is sent what it does not hold', async () => {
  const rig = verified()
  rig.port().onOperation = ({ op }) => (op === 'commit' ? pulling(100)() : statusOf({ stored: [blocks(0, 6)] }))
  expect(await committing(rig)).toEqual({ kind: 'incomplete', missing: [blocks(6, 8)], bad: [] })
})

test('a home that gets on with its pulls is waited for, however long they take', async () => {
  const rig = verified({ options: { giveUpAfter: 30 } })
  let missing = 2_000
  answering(rig, () => {
    missing -= 1
    return missing > 0 ? pulling(missing)() : COMMITTED
  })
  expect(await committing(rig)).toMatchObject({ kind: 'committed' })
  expect(rig.clock.now()).toBeGreaterThan(100_000)
})

for (const [status, code] of [
  [460, 'source-changed'],
  [404, 'gone'],
  [410, 'gone'],
  [403, 'refused'],
] as const) {
  test(`${status} ends the upload as ${code}`, async () => {
    const rig = verified()
    answering(rig, refusal(status))
    await expect(committing(rig)).rejects.toMatchObject({ code, status })
  })
}

for (const status of [423, 429, 500, 503]) {
  test(`${status} passes: the commit is asked for again`, async () => {
    const rig = verified()
    answering(rig, refusal(status), refusal(status), committed)
    expect(await committing(rig)).toMatchObject({ kind: 'committed' })
  })
}

test('a home that never answers is given up when patience ends', async () => {
  const rig = verified({ options: { giveUpAfter: 60 } })
  await expect(committing(rig)).rejects.toMatchObject({ code: 'gave-up', message: expect.stringContaining('60 s') })
  expect(rig.clock.now()).toBeLessThan(90_000)
})

test('a machine that slept over its commit does not hold that against the home', async () => {
  const rig = verified({ options: { giveUpAfter: 300 } })
  answering(rig, silence, committed)
  const outcome = runCommit(rig.context, rig.parts.operations, sha256)
  await rig.clock.run(1_000)
  rig.clock.advance(3_600_000)
  expect(await rig.clock.settle(outcome)).toMatchObject({ kind: 'committed' })
})

test('a stop ends it wherever it stands, and leaves no timer', async () => {
  for (const afterMs of [0, 500, 3_500, 20_000]) {
    const rig = verified()
    const outcome = runCommit(rig.context, rig.parts.operations, sha256)
    await rig.clock.run(afterMs)
    rig.parts.stop()
    expect(await outcome).toEqual({ kind: 'stopped' })
    expect(rig.clock.timers).toBe(0)
  }
})
