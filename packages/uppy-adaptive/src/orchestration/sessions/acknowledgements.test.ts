import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { TransferRig } from '../../testing/transfer-rig.js'

test('a silence that a new connection has ended is no rhythm: the next one is suspected as soon as the first', async () => {
  const rig = new TransferRig({ blocks: 200 })
  const { session } = rig.begin({ last: 200 })
  const { clock, context } = rig
  let offset = 0
  const flow = async (ms: number) => {
    await clock.run(ms)
    offset += BLOCK_SIZE
    context.acknowledge(session, offset)
  }
  const phi = () =>
    context.model.assess({ nowMs: clock.now(), session, remainingBytes: BLOCK_SIZE, isGlance: true }).phi
  const silent = async (ms: number) => {
    for (let i = 0; i < 20; i++) await flow(100)
    await clock.run(ms)
    return phi()
  }
  const first = await silent(2_000)
  const runner = context.runners.get(session)
  if (!runner) throw new Error('it does not run')
  for (let i = 0; i < 5; i++) {
    runner.freshTries = 1
    await flow(0)
    expect(rig.logged('acked').at(-1)).toMatchObject({ appLimited: true })
    expect(await silent(2_000)).toBeCloseTo(first, 1)
  }
  expect(rig.logged('acked').at(-1)).not.toHaveProperty('appLimited')
})
