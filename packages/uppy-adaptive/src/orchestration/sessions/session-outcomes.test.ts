import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { everythingDone } from '../../testing/simulated-clock.js'
import { blocks, statusOf, TransferRig } from '../../testing/transfer-rig.js'

/** The home ends the first session of two blocks, of which some had arrived, for a copy of which nobody here has heard; what it then says is verified. */
async function superseded(verified: readonly ReturnType<typeof blocks>[], o: { ackedBlocks?: number } = {}) {
  const rig = new TransferRig({ addresses: [1, 1], blocks: 8 })
  rig.port().onAttempt = ({ partition }) => {
    rig.context.acknowledge(partition.session, (o.ackedBlocks ?? 0) * BLOCK_SIZE)
    return { kind: 'over', state: 'superseded', status: 410 }
  }
  let answer = (): void => undefined
  rig.port().onOperation = (request) => {
    if (request.op !== 'status') return new Promise(() => undefined)
    return new Promise((resolve) => {
      answer = () => resolve(statusOf({ verified: [...verified] }))
    })
  }
  rig.begin({ first: 0, last: 2 })
  await everythingDone()
  const home = rig.store('s0')
  const canTake = () => rig.parts.starter.canTake(home)
  const whileAsked = canTake()
  const asked = rig.port().operations.filter(({ op }) => op === 'status').length
  answer()
  await everythingDone()
  return { rig, whileAsked, asked, home, canTake }
}

test('a store that ends a session for a copy that is not known here says what is verified before it gets more', async () => {
  const { rig, whileAsked, asked, home, canTake } = await superseded([blocks(0, 2), blocks(4, 5)])
  expect(rig.logged('superseded')).toMatchObject([{ via: 'server', by: null }])
  expect([asked, whileAsked]).toEqual([1, false])
  expect(rig.context.plan.unassigned()).toEqual([blocks(2, 4), blocks(5, 8)])
  expect([home.state, canTake()]).toEqual(['ready', true])
})

test('one that does not name such a copy is left alone for a while, instead of ending one session after another', async () => {
  const { rig, home, canTake } = await superseded([])
  expect(rig.context.plan.unassigned()).toEqual([blocks(0, 8)])
  expect([home.state, canTake()]).toEqual(['suspect', false])
})

test('of a session that had sent some of its own only the rest is asked about', async () => {
  const { home, canTake } = await superseded([blocks(1, 2)], { ackedBlocks: 1 })
  expect([home.state, canTake()]).toEqual(['ready', true])
})
