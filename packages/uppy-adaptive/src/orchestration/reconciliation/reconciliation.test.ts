import type { ServerEvent, SessionStatus } from 'tus-reconcile-protocol'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { everythingDone } from '../../testing/simulated-clock.js'
import { blocks, broken, claimAnswer, statusOf, TransferRig } from '../../testing/transfer-rig.js'

const B = BLOCK_SIZE

/** The event as `store` says it, of this group. */
function say(rig: TransferRig, store: string, event: Record<string, unknown>): void {
  rig.parts.reconciliation.onEvent(store, { group: rig.context.group, ...event } as ServerEvent)
}

function ask(rig: TransferRig): Promise<void> {
  return rig.clock.settle(rig.parts.reconciliation.ask(rig.parts.operations, rig.parts.terminations))
}

function bad(rig: TransferRig, store: string, block: number): void {
  rig.parts.reconciliation.onClaimAnswer(store, claimAnswer({ bad: [blocks(block, block + 1)] }))
}

const GAIN = { pServer: 1, savedMs: 1_000, costMs: 500, worth: 1 }

test('an offset event is an acknowledgement, counted from the session’s start', () => {
  const rig = new TransferRig()
  const { session } = rig.begin({ first: 2, last: 6 })
  say(rig, 's0', { type: 'offset', session, offset: 3 * B })
  expect(rig.context.plan.session(session)?.acked).toBe(5 * B)
})

test('an older offset changes nothing', () => {
  const rig = new TransferRig()
  const { session } = rig.begin({ last: 4 })
  say(rig, 's0', { type: 'offset', session, offset: 3 * B })
  say(rig, 's0', { type: 'offset', session, offset: 1 * B })
  expect(rig.context.plan.session(session)?.acked).toBe(3 * B)
})

test('a store’s word counts for its own sessions only, and for this group only', () => {
  const rig = new TransferRig({ addresses: [1, 1] })
  const { session } = rig.begin({ last: 4 })
  say(rig, 's1', { type: 'offset', session, offset: 4 * B })
  say(rig, 's1', { type: 'superseded', session })
  say(rig, 's0', { type: 'offset', session, offset: 4 * B, group: 'another' })
  say(rig, 's0', { type: 'verified', ranges: [blocks(0, 8)], group: 'another' })
  rig.parts.reconciliation.onClaimAnswer('s1', claimAnswer({ superseded: [session] }))
  expect(rig.context.plan.session(session)?.acked).toBe(0)
  expect(rig.context.plan.verified).toEqual([])
})

test('what an event says and a claim’s answer says again counts once', () => {
  const rig = new TransferRig()
  say(rig, 's0', { type: 'verified', ranges: [blocks(0, 2)] })
  rig.parts.reconciliation.onClaimAnswer('s0', claimAnswer({ verified: [blocks(0, 3)] }))
  expect(rig.logged('verified').map(({ ranges, via }) => [ranges, via])).toEqual([
    [[blocks(0, 2)], 'event'],
    [[blocks(2, 3)], 'claim'],
  ])
})

test('verified blocks end the session that sent them and stop the copy that has not', () => {
  const rig = new TransferRig({ addresses: [1, 1] })
  const winner = rig.begin({ last: 4 })
  const assessment = rig.context.model.assess({ nowMs: 0, session: winner.session, remainingBytes: 4 * B })
  rig.parts.starter.copy(winner, { store: 's1', reason: 'test', gain: GAIN, assessment })
  rig.context.acknowledge(winner.session, 4 * B)
  rig.parts.reconciliation.onClaimAnswer('s0', claimAnswer({ verified: [blocks(0, 4)] }))
  const copy = rig.logged('copy')[0]
  expect(rig.logged('completed').map((event) => event.session)).toEqual([winner.session])
  expect(rig.logged('superseded').map((event) => event.session)).toEqual([copy?.session])
  expect(rig.port('s1').operations.at(-1)).toMatchObject({
    op: 'plan',
    changes: [{ session: copy?.session, drop: true }],
  })
})

test('a bad block is hashed anew and nobody’s again, once for the event and the answer that say it', async () => {
  const rig = new TransferRig()
  const { session } = rig.begin({ last: 4 })
  rig.context.acknowledge(session, 4 * B)
  await rig.context.leaves.compute(blocks(0, 4), rig.context.signal)
  bad(rig, 's0', 1)
  say(rig, 's0', { type: 'bad', ranges: [blocks(1, 2)] })
  expect(rig.logged('bad')).toHaveLength(1)
  expect(rig.context.plan.unassigned()).toEqual([blocks(1, 2), blocks(4, 8)])
  expect(rig.context.leaves.known(blocks(1, 2))).toEqual([])
  expect(rig.context.leaves.known(blocks(2, 4))).toHaveLength(2)
})

test('a block that a mirror gets wrong three times leaves the mirror out; the home’s is the file that changes', () => {
  const mirror = new TransferRig({ addresses: [1, 1] })
  const home = new TransferRig({ addresses: [1, 1] })
  for (const [rig, store] of [
    [mirror, 's1'],
    [home, 's0'],
  ] as const) {
    for (let times = 0; times < 3; times++) {
      const { session } = rig.begin({ store, first: 1, last: 2 })
      rig.context.acknowledge(session, 2 * B)
      bad(rig, store, 1)
    }
  }
  expect(mirror.store('s1').state).toBe('unusable')
  expect(mirror.parts.failure).toBeUndefined()
  expect(mirror.context.plan.sessions()).toEqual([])
  expect(home.parts.failure).toMatchObject({ code: 'source-changed' })
})

test('a conflict at the home means that the file changed; at a mirror, that the mirror is wrong', () => {
  const mirror = new TransferRig({ addresses: [1, 1] })
  mirror.parts.reconciliation.onClaimAnswer('s1', claimAnswer({ conflict: [blocks(3, 4)] }))
  expect([mirror.store('s1').state, mirror.parts.failure]).toEqual(['unusable', undefined])
  const home = new TransferRig({ addresses: [1, 1] })
  home.parts.reconciliation.onClaimAnswer('s0', claimAnswer({ conflict: [blocks(3, 4)] }))
  expect(home.parts.failure).toMatchObject({
    code: 'source-changed',
    message: expect.stringContaining(`byte ${3 * B}`),
  })
})

test('the home’s end of the group is the upload’s; a mirror’s is not', () => {
  const rig = new TransferRig({ addresses: [1, 1] })
  say(rig, 's1', { type: 'terminated' })
  expect(rig.parts.failure).toBeUndefined()
  say(rig, 's0', { type: 'terminated' })
  expect(rig.parts.failure).toMatchObject({ code: 'gone' })
})

test('what the home pulled, and only the home, is at home', () => {
  const rig = new TransferRig({ addresses: [1, 1] })
  say(rig, 's1', { type: 'pulled', ranges: [blocks(0, 2)] })
  expect(rig.context.atHome).toEqual([])
  say(rig, 's0', { type: 'pulled', ranges: [blocks(0, 2)] })
  expect(rig.context.atHome).toEqual([blocks(0, 2)])
})

test('blocks that the home lacks are sent again, to the home alone', () => {
  const rig = new TransferRig({ addresses: [1, 1] })
  rig.context.plan.verify([blocks(0, 8)])
  rig.parts.reconciliation.resend([blocks(2, 3)], 'the home lacks them')
  rig.directory.suspect('s0', 'silent', 0)
  rig.parts.assigner.pass()
  expect(rig.context.plan.sessions()).toEqual([])
  rig.directory.trust('s0', 'answers again')
  rig.parts.assigner.pass()
  expect(rig.context.plan.sessions()).toMatchObject([{ store: 's0', ...blocks(2, 3) }])
})

test('asked, a store tells of verified blocks whose event was lost', async () => {
  const rig = new TransferRig()
  rig.port().onOperation = () => statusOf({ verified: [blocks(0, 4)] })
  await ask(rig)
  expect(rig.logged('verified')).toMatchObject([{ ranges: [blocks(0, 4)], via: 'status' }])
})

test('acknowledged and not there: the session of another page that owns the blocks is ended, ours are sent again', async () => {
  const rig = new TransferRig()
  const { session } = rig.begin({ last: 4 })
  rig.context.acknowledge(session, 4 * B)
  const other: SessionStatus = {
    ...{ session: 'other', partition: 'q', start: 2 * B, end: null, offset: B / 2, state: 'inProgress' },
  }
  rig.port().onOperation = ({ op }) =>
    op === 'plan' ? broken() : statusOf({ stored: [blocks(0, 2)], sessions: [other] })
  await ask(rig)
  const dropped = rig.port().operations.flatMap((request) => (request.op === 'plan' ? request.changes : []))
  expect(dropped).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ session: 'other', drop: true }),
      expect.objectContaining({ session }),
    ]),
  )
  expect(rig.context.plan.unassigned()).toEqual([blocks(2, 8)])
})

/** The store acknowledges these blocks and holds none of them. */
async function lie(rig: TransferRig, store: string): Promise<void> {
  const { session } = rig.begin({ store, last: 4 })
  rig.context.acknowledge(session, 4 * B)
  await ask(rig)
}

test('a mirror that acknowledges and keeps nothing is left out after three times', async () => {
  const rig = new TransferRig({ addresses: [1, 1] })
  for (const store of ['s0', 's1']) rig.port(store).onOperation = () => statusOf()
  await lie(rig, 's1')
  await lie(rig, 's1')
  expect([rig.store('s1').state, rig.context.plan.unassigned()]).toEqual(['ready', [blocks(0, 8)]])
  await lie(rig, 's1')
  expect([rig.store('s1').state, rig.context.plan.unassigned()]).toEqual(['unusable', [blocks(0, 8)]])
  expect(rig.parts.failure).toBeUndefined()
})

test('a home that acknowledges and keeps nothing ends the upload with its name, instead of sending for ever', async () => {
  const rig = new TransferRig()
  rig.port().onOperation = () => statusOf()
  for (let times = 0; times < 3; times++) await lie(rig, 's0')
  expect(rig.parts.failure).toMatchObject({ code: 'gave-up', message: expect.stringContaining('does not keep them') })
})

test('a store that cannot be asked changes nothing', async () => {
  const rig = new TransferRig()
  const { session } = rig.begin({ last: 4 })
  rig.context.acknowledge(session, 4 * B)
  rig.port().onOperation = broken
  await ask(rig)
  await everythingDone()
  expect(rig.context.plan.session(session)?.acked).toBe(4 * B)
})

test('who superseded a session is told: the one that completed its partition, else who has sent most of its range, else nobody', () => {
  const raced = (sent: number) => {
    const rig = new TransferRig({ addresses: [1, 1] })
    const first = rig.begin({ last: 4 })
    const assessment = rig.context.model.assess({ nowMs: 0, session: first.session, remainingBytes: 4 * B })
    rig.parts.starter.copy(first, { store: 's1', reason: 'test', gain: GAIN, assessment })
    const copy = rig.logged('copy')[0]?.session ?? ''
    if (sent > 0) rig.context.acknowledge(copy, sent * B)
    return { rig, first, copy }
  }
  const ahead = raced(2)
  say(ahead.rig, 's0', { type: 'superseded', session: ahead.first.session })
  expect(ahead.rig.logged('superseded')).toMatchObject([
    { session: ahead.first.session, via: 'server', by: ahead.copy },
  ])
  const unknown = raced(0)
  say(unknown.rig, 's0', { type: 'superseded', session: unknown.first.session })
  expect(unknown.rig.logged('superseded')).toMatchObject([{ via: 'server', by: null }])
  const won = raced(4)
  won.rig.parts.reconciliation.onClaimAnswer('s1', claimAnswer({ verified: [blocks(0, 4)] }))
  expect(won.rig.logged('superseded')).toMatchObject([{ session: won.first.session, via: 'client', by: won.copy }])
})
