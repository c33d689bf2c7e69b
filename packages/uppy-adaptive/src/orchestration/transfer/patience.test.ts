import type { GroupOperationRequest } from 'tus-reconcile-protocol'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { everythingDone } from '../../testing/simulated-clock.js'
import { blocks, claimAnswer, statusOf, TransferRig } from '../../testing/transfer-rig.js'

const answer = ({ op }: GroupOperationRequest) =>
  op === 'claim' ? claimAnswer() : statusOf({ stored: [blocks(0, 4)] })

/** A transfer that has sent all it has to s1 and waits for it to be verified. */
function waiting(): TransferRig {
  const rig = new TransferRig({ addresses: [1, 1], blocks: 4, options: { giveUpAfter: 600 } })
  for (const store of ['s0', 's1']) rig.port(store).onOperation = answer
  const { session } = rig.begin({ store: 's1', last: 4 })
  rig.context.acknowledge(session, 4 * BLOCK_SIZE)
  return rig
}

/** The transfer's loop, as far as patience is concerned. */
async function live(rig: TransferRig, ms: number): Promise<void> {
  for (const untilMs = rig.clock.now() + ms; rig.clock.now() < untilMs; ) {
    await rig.clock.run(250)
    rig.parts.patience.pass(rig.clock.now())
    await everythingDone()
  }
}

const asked = (rig: TransferRig, store = 's0') => rig.port(store).asked.filter((op) => op === 'status').length

test('the upload is given up when no server took a byte for so long', async () => {
  const rig = new TransferRig({ options: { giveUpAfter: 60 } })
  await live(rig, 60_000)
  expect(rig.parts.failure).toBeUndefined()
  await live(rig, 250)
  expect(rig.parts.failure).toMatchObject({ code: 'gave-up', message: expect.stringContaining('60 s') })
})

test('a byte that is acknowledged begins the wait anew', async () => {
  const rig = new TransferRig({ options: { giveUpAfter: 60 } })
  const { session } = rig.begin({ last: 4 })
  await live(rig, 59_000)
  rig.context.acknowledge(session, 1)
  await live(rig, 59_000)
  expect(rig.parts.failure).toBeUndefined()
})

test('the time that the machine slept is no server’s', async () => {
  const rig = new TransferRig({ options: { giveUpAfter: 60 } })
  await live(rig, 30_000)
  rig.clock.advance(3_600_000)
  rig.parts.patience.noteLocalPause(3_600_000)
  await live(rig, 29_000)
  expect(rig.parts.failure).toBeUndefined()
  await live(rig, 2_000)
  expect(rig.parts.failure).toMatchObject({ code: 'gave-up' })
})

test('what was sent and is not verified a second later is asked about at its store, each second', async () => {
  const rig = waiting()
  await live(rig, 1_000)
  expect(asked(rig, 's1')).toBe(0)
  await live(rig, 250)
  expect(asked(rig, 's1')).toBe(1)
  await live(rig, 1_000)
  expect([asked(rig, 's1'), asked(rig)]).toEqual([2, 0])
})

test('sessions whose verification nobody told of give their places back, though there is more to send', async () => {
  const rig = waiting()
  rig.context.plan.discard([blocks(3, 4)])
  rig.port('s1').onOperation = ({ op }) =>
    op === 'claim' ? claimAnswer() : statusOf({ stored: [blocks(0, 3)], verified: [blocks(0, 4)] })
  await live(rig, 1_500)
  rig.parts.outcomes.completeVerified()
  expect(rig.context.plan.sessions()).toEqual([])
})

test('when everything is sent and three seconds say nothing, every store is asked; and again after three more', async () => {
  const rig = waiting()
  await live(rig, 2_750)
  expect(asked(rig)).toBe(0)
  await live(rig, 500)
  expect(asked(rig)).toBe(1)
  await live(rig, 3_000)
  expect(asked(rig)).toBe(2)
})

test('no other store is asked while a session still sends', async () => {
  const rig = waiting()
  rig.context.plan.discard([blocks(3, 4)])
  rig.begin({ store: 's1', first: 3, last: 4 })
  await live(rig, 10_000)
  expect(asked(rig)).toBe(0)
})

test('what only a store that does not answer holds is sent again, its sessions and what they left', async () => {
  const rig = waiting()
  rig.directory.suspect('s1', 'silent', 0)
  rig.context.plan.hold('s1', [blocks(0, 4)])
  await live(rig, 3_250)
  expect(rig.context.plan.unassigned()).toEqual([blocks(0, 4)])
  expect(rig.logged('failed')).toMatchObject([{ cause: 'its server does not answer' }])
  expect(rig.logged('resent')).toMatchObject([{ ranges: [blocks(0, 4)] }])
})

test('what a store in trust holds is waited for', async () => {
  const rig = waiting()
  await live(rig, 60_000)
  expect(rig.context.plan.unassigned()).toEqual([])
  expect(rig.logged('resent')).toEqual([])
})
