import { expect, test } from 'vitest'
import { blocks, TransferRig } from '../../testing/transfer-rig.js'

/** A session at a store that answers it so; s0 is the home. */
async function answered(store: string, state: string): Promise<TransferRig> {
  const rig = new TransferRig({ addresses: [1, 1, 1], blocks: 12 })
  rig.port(store).onAttempt = () => ({ kind: 'over', state, status: 410 })
  rig.begin({ store, first: 4, last: 8 })
  await rig.clock.run(1_000)
  return rig
}

test('a mirror whose part has expired is left out at once, and its other sessions’ bytes are nobody’s again', async () => {
  const rig = new TransferRig({ addresses: [1, 1], blocks: 12 })
  const held = rig.begin({ store: 's1', first: 0, last: 4 })
  rig.context.acknowledge(held.session, held.end)
  rig.port('s1').onAttempt = () => ({ kind: 'over', state: 'expired', status: 410 })
  rig.begin({ store: 's1', first: 4, last: 8 })
  await rig.clock.run(1_000)
  expect(rig.store('s1').state).toBe('unusable')
  expect(rig.logged('warning')).toMatchObject([{ code: 'mirror-expired' }])
  expect(rig.context.plan.sessions()).toEqual([])
  expect(rig.context.plan.unassigned()).toEqual([blocks(0, 12)])
  expect(rig.parts.failure).toBeUndefined()
})

test('a home that has dropped the upload ends it at once', async () => {
  const rig = await answered('s0', 'expired')
  expect(rig.parts.failure).toMatchObject({ code: 'gone' })
})

test('a session that somebody ended puts its server in doubt, and ends nothing', async () => {
  const rig = await answered('s1', 'terminated')
  expect(rig.store('s1').state).toBe('suspect')
  expect(rig.parts.failure).toBeUndefined()
  expect(rig.context.plan.sessions()).toEqual([])
})

test('servers that end six sessions in a row end the upload, unless one completes between', async () => {
  const sixth = async (completesAfter: number) => {
    const rig = new TransferRig({ addresses: [1, 1], blocks: 12 })
    rig.port('s1').onAttempt = () => ({ kind: 'over', state: 'terminated', status: 410 })
    for (let i = 0; i < 6; i++) {
      if (i === completesAfter) {
        const done = rig.begin({ store: 's0', first: 0, last: 1 })
        rig.context.acknowledge(done.session, done.end)
        rig.context.plan.verify([blocks(0, 1)])
        rig.parts.outcomes.completeVerified()
      }
      rig.begin({ store: 's1', first: 4, last: 8 })
      await rig.clock.run(1_000)
    }
    return rig.parts.failure
  }
  expect(await sixth(3)).toBeUndefined()
  expect(await sixth(99)).toMatchObject({ code: 'gone' })
})
