import type { CommitAnswer, GroupOperationRequest } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { sha256 } from '../../testing/known-bytes.js'
import { silence } from '../../testing/scripted-port.js'
import { blocks, broken, refusal, statusOf, TransferRig } from '../../testing/transfer-rig.js'
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
  [501, 'refused'],
  [507, 'server-full'],
] as const) {
  test(`${status} ends the upload as ${code}`, async () => {
    const rig = verified()
    answering(rig, refusal(status))
    await expect(committing(rig)).rejects.toMatchObject({ code, status })
  })
}

test('a home that was away when the others took the upload is given time to hear of it from them', async () => {
  const rig = verified({ addresses: [1, 1] })
  rig.context.atHome = ALL
  answering(rig, refusal(404, 'unknown-group'), refusal(404, 'unknown-group'), committed)
  expect(await committing(rig)).toMatchObject({ kind: 'committed' })
})

test('what nobody knows ten seconds later is gone, however long it was waited for before', async () => {
  const rig = verified({ addresses: [1, 1] })
  rig.context.atHome = ALL
  answering(rig, () => (rig.clock.now() < 60_000 ? silence() : refusal(404, 'unknown-group')()))
  rig.port('s1').onOperation = ({ op }) =>
    (op === 'status' ? refusal(404, 'unknown-group') : refusal(503, 'unreachable-store'))()
  await expect(committing(rig)).rejects.toMatchObject({ code: 'gone', status: 404 })
  expect(rig.clock.now()).toBeGreaterThan(70_000)
  expect(rig.clock.now()).toBeLessThan(120_000)
})

test('what another store knows the home may hear of as late as it likes', async () => {
  const rig = verified({ addresses: [1, 1], options: { giveUpAfter: 120 } })
  rig.context.atHome = ALL
  answering(rig, () => (rig.clock.now() < 60_000 ? refusal(404, 'unknown-group')() : COMMITTED))
  expect(await committing(rig)).toMatchObject({ kind: 'committed' })
})

test('what the home never hears of is given up when patience ends', async () => {
  const rig = verified({ addresses: [1, 1], options: { giveUpAfter: 60 } })
  rig.context.atHome = ALL
  answering(rig, refusal(404, 'unknown-group'))
  await expect(committing(rig)).rejects.toMatchObject({ code: 'gave-up' })
  expect(rig.clock.now()).toBeLessThan(90_000)
})

test('a store that was started anew, and away for long, tells the home of the upload once it is asked for that', async () => {
  const rig = verified({ addresses: [1, 1] })
  rig.context.atHome = ALL
  let isTold = false
  rig.port('s0').onOperation = ({ op }) => {
    if (op !== 'commit') return refusal(503, 'unreachable-store')()
    return isTold ? COMMITTED : refusal(404, 'unknown-group')()
  }
  rig.port('s1').onOperation = () => {
    if (rig.clock.now() < 30_000) return broken()
    isTold = true
    return statusOf({ stored: ALL, verified: ALL })
  }
  expect(await committing(rig)).toMatchObject({ kind: 'committed' })
  expect(rig.clock.now()).toBeLessThan(60_000)
})

for (const status of [408, 423, 425, 429, 500, 503]) {
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

/** Three servers of which the home answers nothing; the others answer `commit` as given. */
function homeless(
  answers: { readonly [store: string]: () => CommitAnswer | Promise<never> },
  options: { commitAt?: 'any'; giveUpAfter: number },
): TransferRig {
  const rig = verified({ addresses: [1, 1, 1], options })
  rig.context.atHome = ALL
  rig.port().onOperation = broken
  for (const [store, answer] of Object.entries(answers))
    rig.port(store).onOperation = (request) => {
      const isElsewhere = request.op === 'commit' && request.elsewhere === true && request.store === store
      if (isElsewhere) return answer()
      // relayed to the home, or to another that says the same
      return refusal(503, 'unreachable-store')()
    }
  return rig
}

const AT_S1: CommitAnswer = { ...COMMITTED, url: 'http://s1-0.test/files/g' }

test('a home that stays away is waited for, and then a majority gives the file another one', async () => {
  const rig = homeless({ s1: () => AT_S1, s2: refusal(503, 'unreachable-store') }, { commitAt: 'any', giveUpAfter: 60 })
  expect(await committing(rig)).toMatchObject({ kind: 'committed', url: AT_S1.url })
  const elsewhere = rig.port('s1').operations.filter((asked) => asked.op === 'commit' && asked.elsewhere)
  expect(elsewhere).toHaveLength(1)
  expect(elsewhere[0]).toMatchObject({ home: 's0', store: 's1' })
  const [moved] = rig.logged('homeMoved')
  expect(moved).toMatchObject({ store: 's1', from: 's0', server: 1 })
  expect(moved?.waitedMs).toBeGreaterThanOrEqual(60_000)
  expect(rig.context.place.store).toBe('s1')
})

test('each of the others is asked: the first may not know the upload, or another one may have been chosen', async () => {
  const rig = homeless({ s1: refusal(404, 'unknown-group'), s2: () => AT_S1 }, { commitAt: 'any', giveUpAfter: 5 })
  expect(await committing(rig)).toMatchObject({ kind: 'committed' })
  expect(rig.context.place.store).toBe('s2')
})

test('however short patience is, each of the others is asked more than once: they may need a moment to agree', async () => {
  let asked = 0
  const rig = homeless(
    {
      s1: refusal(503, 'unreachable-store'),
      s2: () => {
        asked += 1
        return asked === 1 ? refusal(503, 'unreachable-store')() : AT_S1
      },
    },
    { commitAt: 'any', giveUpAfter: 3 },
  )
  expect(await committing(rig)).toMatchObject({ kind: 'committed' })
  expect(rig.context.place.store).toBe('s2')
})

test('a home that comes back meanwhile makes the file after all', async () => {
  const rig = homeless(
    { s1: refusal(503, 'unreachable-store'), s2: refusal(503, 'unreachable-store') },
    { commitAt: 'any', giveUpAfter: 30 },
  )
  const done = committing(rig)
  rig.clock.after(45_000, () => {
    rig.port().onOperation = (request) =>
      request.op === 'commit' && !request.elsewhere ? COMMITTED : refusal(503, 'unreachable-store')()
  })
  expect(await done).toMatchObject({ kind: 'committed', url: COMMITTED.url })
  expect(rig.logged('homeMoved')).toEqual([])
})

test('what the new home lacks is named, to be sent there', async () => {
  const rig = homeless({ s1: incomplete(2, 3), s2: incomplete(2, 3) }, { commitAt: 'any', giveUpAfter: 30 })
  expect(await committing(rig)).toMatchObject({ kind: 'incomplete', missing: [blocks(2, 3)] })
  expect([rig.context.place.store, rig.context.atHome]).toEqual(['s1', []])
})

test('without the option nobody but the home is asked to make the file', async () => {
  const rig = homeless({ s1: () => AT_S1, s2: () => AT_S1 }, { giveUpAfter: 30 })
  await expect(committing(rig)).rejects.toMatchObject({ code: 'gave-up' })
  const asked = [...rig.port('s1').operations, ...rig.port('s2').operations]
  expect(asked.some((each) => each.op === 'commit' && each.elsewhere)).toBe(false)
})

test('where no majority answers, the upload is given up after twice the patience', async () => {
  const rig = homeless(
    { s1: refusal(503, 'unreachable-store'), s2: refusal(503, 'unreachable-store') },
    { commitAt: 'any', giveUpAfter: 30 },
  )
  await expect(committing(rig)).rejects.toMatchObject({ code: 'gave-up' })
  expect(rig.clock.now()).toBeGreaterThan(60_000)
  expect(rig.clock.now()).toBeLessThan(90_000)
})

test('what a home that is silent already has been waited for counts', async () => {
  const rig = homeless({ s1: () => AT_S1, s2: () => AT_S1 }, { commitAt: 'any', giveUpAfter: 60 })
  rig.directory.suspect('s0', 'silent', rig.clock.now())
  await rig.clock.run(50_000)
  await committing(rig)
  expect(rig.logged('homeMoved')[0]?.waitedMs).toBeLessThan(75_000)
  expect(rig.clock.now()).toBeLessThan(80_000)
})
