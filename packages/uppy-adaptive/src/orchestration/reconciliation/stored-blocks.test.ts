import type { SessionStatus } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { everythingDone } from '../../testing/simulated-clock.js'
import { blocks, broken, refusal, statusOf, TransferRig } from '../../testing/transfer-rig.js'
import { adoptStored } from './stored-blocks.js'

const session = (id: string, state: SessionStatus['state']): SessionStatus => ({
  ...{ session: id, partition: 'p1', offset: 0, state },
  ...blocks(0, 2),
})

function adopting(rig: TransferRig): Promise<void> {
  const adopted = adoptStored(rig.context, rig.parts)
  return rig.clock.settle(adopted)
}

test('what is verified or stored is not sent again; all that is stored is compared with the file, what is not verified first', async () => {
  const rig = new TransferRig({ addresses: [1, 1], blocks: 8 })
  rig.port().onOperation = () => statusOf({ verified: [blocks(0, 2)], stored: [blocks(0, 3)] })
  rig.port('s1').onOperation = () => statusOf({ verified: [blocks(0, 2)], stored: [blocks(5, 6)] })
  await adopting(rig)
  expect(rig.context.plan.unassigned()).toEqual([blocks(3, 5), blocks(6, 8)])
  rig.parts.claims.pass(rig.clock.now())
  await everythingDone()
  const claimed = [rig.port(), rig.port('s1')].map(({ operations }) => operations.at(-1))
  expect(claimed).toMatchObject([
    {
      op: 'claim',
      claims: [
        { start: blocks(2, 3).start, leaves: [rig.source.leaf(2)] },
        { start: 0, leaves: [rig.source.leaf(0), rig.source.leaf(1)] },
      ],
    },
    { op: 'claim', claims: [{ start: blocks(5, 6).start, leaves: [rig.source.leaf(5)] }] },
  ])
})

test('sessions that were left open are ended on their store', async () => {
  const rig = new TransferRig()
  rig.port().onOperation = () => statusOf({ sessions: [session('a', 'inProgress'), session('b', 'completed')] })
  await adopting(rig)
  expect(rig.port().operations.at(-1)).toMatchObject({ op: 'plan', changes: [{ session: 'a', drop: true }] })
  expect(rig.port().asked).toEqual(['status', 'plan'])
})

test('a committed group needs no byte', async () => {
  const rig = new TransferRig()
  rig.port().onOperation = () => statusOf({ state: 'committed' })
  await adopting(rig)
  expect(rig.context.plan.isVerified).toBe(true)
})

for (const [why, onOperation] of [
  ['does not know it', refusal(404)],
  ['has ended it', refusal(410)],
  ['says that it is terminated', () => statusOf({ state: 'terminated' })],
  ['says that it is expired', () => statusOf({ state: 'expired' })],
] as const) {
  test(`a group is gone when its home ${why}`, async () => {
    const rig = new TransferRig()
    rig.port().onOperation = onOperation
    await expect(adopting(rig)).rejects.toMatchObject({ code: 'gone' })
  })
}

for (const [why, trouble] of [
  ['is being restarted', refusal(503)],
  ['has too much to do', refusal(429)],
  ['breaks the connection', broken],
] as const) {
  test(`a home that ${why} is asked again: its blocks are not lost`, async () => {
    const rig = new TransferRig({ blocks: 2 })
    rig.port().onOperation = () =>
      rig.port().asked.length < 4 ? trouble() : statusOf({ stored: [blocks(0, 2)], verified: [blocks(0, 2)] })
    await adopting(rig)
    expect(rig.context.plan.isVerified).toBe(true)
    expect(rig.store().state).toBe('ready')
  })
}

test('a home that stays silent is in suspicion, and the upload goes on without waiting for good', async () => {
  const rig = new TransferRig()
  await adopting(rig)
  expect(rig.store().state).toBe('suspect')
  expect(rig.clock.now()).toBeLessThan(15_000)
})

test('a mirror that knows nothing stays in trust, one that cannot be asked is in suspicion', async () => {
  const rig = new TransferRig({ addresses: [1, 1, 1] })
  rig.port().onOperation = ({ store }) => (store === 's0' ? statusOf() : broken())
  rig.port('s1').onOperation = ({ store }) => (store === 's1' ? refusal(404)() : broken())
  rig.port('s2').onOperation = refusal(503)
  await adopting(rig)
  expect([rig.store('s1').state, rig.store('s2').state]).toEqual(['ready', 'suspect'])
})

test('a mirror that has dropped its part is left out, and nothing is sent there again', async () => {
  const rig = new TransferRig({ addresses: [1, 1] })
  rig.port().onOperation = () => statusOf()
  rig.port('s1').onOperation = () => statusOf({ state: 'expired' })
  await adopting(rig)
  expect(rig.store('s1').state).toBe('unusable')
  expect(rig.logged('warning')).toMatchObject([{ code: 'mirror-expired', endpoint: 'http://s1-0.test/files' }])
})
