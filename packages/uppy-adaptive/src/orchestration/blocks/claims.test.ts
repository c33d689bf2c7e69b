import type { ClaimRequest, GroupOperationRequest } from 'tus-reconcile-protocol'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { silence } from '../../testing/scripted-port.js'
import { blocks, broken, claimAnswer, refusal, TransferRig } from '../../testing/transfer-rig.js'
import { UploadError } from '../upload-error.js'

/** Addresses that take every claim and stay silent to the rest. */
function taking(rig: TransferRig, ...stores: string[]): TransferRig {
  for (const store of stores) rig.port(store).onOperation = ({ op }) => (op === 'claim' ? claimAnswer() : silence())
  return rig
}

const isClaim = (request: GroupOperationRequest): request is ClaimRequest => request.op === 'claim'

/** What was claimed at a store, request by request: first block and number of leaves. */
function claimed(rig: TransferRig, store = 's0'): [number, number][][] {
  return rig
    .port(store)
    .operations.filter(isClaim)
    .map(({ claims }) => claims.map(({ start, leaves }) => [start / BLOCK_SIZE, leaves.length]))
}

async function pass(rig: TransferRig, afterMs = 0): Promise<void> {
  await rig.clock.run(afterMs)
  rig.parts.claims.pass(rig.clock.now())
  await rig.clock.run(0)
}

test('blocks are claimed before their bytes, 4 MiB ahead of the sender, and about once a second', async () => {
  const rig = taking(new TransferRig({ blocks: 40 }), 's0')
  const { session } = rig.begin({ last: 40 })
  await pass(rig)
  expect(claimed(rig)).toEqual([[[0, 16]]])
  rig.context.acknowledge(session, 4 * BLOCK_SIZE)
  await pass(rig, 999)
  expect(claimed(rig)).toHaveLength(1)
  await pass(rig, 1)
  expect(claimed(rig).slice(1)).toEqual([[[16, 4]]])
  await pass(rig, 1_000)
  expect(claimed(rig)).toHaveLength(2)
})

test('the leaves are the digests of the file’s blocks', async () => {
  const rig = taking(new TransferRig({ blocks: 2 }), 's0')
  rig.begin({ last: 2 })
  await pass(rig)
  const [request] = rig.port().operations.filter(isClaim)
  expect(request?.claims[0]?.leaves).toEqual([rig.source.leaf(0), rig.source.leaf(1)])
})

test('each store hears of its own sessions, all of them at once', async () => {
  const rig = taking(new TransferRig({ addresses: [1, 1] }), 's0', 's1')
  rig.begin({ last: 2 })
  rig.begin({ first: 2, last: 4 })
  rig.begin({ store: 's1', first: 4, last: 8 })
  await pass(rig)
  expect(claimed(rig).flat()).toEqual([
    [0, 2],
    [2, 2],
  ])
  expect(claimed(rig, 's1')).toEqual([[[4, 4]]])
})

test('a claim whose answer was lost is said again, a second later, and its store is in suspicion', async () => {
  const rig = new TransferRig({ blocks: 4 })
  rig.port().onOperation = broken
  rig.begin({ last: 4 })
  await pass(rig)
  expect(rig.store().state).toBe('suspect')
  taking(rig, 's0')
  await pass(rig, 999)
  expect(claimed(rig)).toHaveLength(1)
  await pass(rig, 1)
  expect(claimed(rig)).toEqual([[[0, 4]], [[0, 4]]])
})

test('a claim that overtook its creation is said again soon, but not for ever as soon', async () => {
  const rig = new TransferRig({ blocks: 4 })
  const at: number[] = []
  rig.port().onOperation = () => {
    at.push(rig.clock.now())
    return refusal(404)()
  }
  rig.begin({ last: 4 })
  for (let ms = 0; ms < 5_000; ms += 25) await pass(rig, 25)
  // again after 50, 100, 200, 400, 800 ms, then each second
  const pauses = at.slice(1).map((ms, i) => ms - (at[i] ?? 0))
  expect(pauses).toEqual([50, 100, 200, 400, 800, 1_000, 1_000, 1_000])
  expect(rig.store().state).toBe('ready')
})

test('a session that ended is claimed at once, up to the whole blocks that its store has', async () => {
  const rig = taking(new TransferRig({ blocks: 40 }), 's0')
  const { session } = rig.begin({ last: 40 })
  await pass(rig)
  rig.context.acknowledge(session, 18.5 * BLOCK_SIZE)
  rig.parts.outcomes.giveUpStore('s0')
  await rig.clock.run(0)
  expect(claimed(rig)).toEqual([[[0, 16]], [[16, 2]]])
})

test('what ended sessions left on a store that is given up is not claimed any more', async () => {
  const rig = taking(new TransferRig(), 's0')
  rig.parts.claims.adopt({ session: 'old', store: 's0', range: blocks(0, 2), isVerified: false })
  rig.parts.claims.forgetStore('s0')
  await pass(rig)
  expect(claimed(rig)).toEqual([])
})

test('what was verified before is compared with the file last, 64 MiB with each claim', async () => {
  const rig = taking(new TransferRig({ blocks: 300 }), 's0')
  rig.parts.claims.adopt({ session: 'old', store: 's0', range: blocks(0, 290), isVerified: true })
  rig.begin({ first: 290, last: 300 })
  for (let pass = 0; pass < 3; pass++) {
    rig.parts.claims.pass(rig.clock.now())
    await rig.clock.run(1_000)
  }
  expect(claimed(rig)).toEqual([
    [
      [290, 10],
      [0, 256],
    ],
    [[256, 34]],
  ])
})

test('answers are taken in: verified blocks end their session', async () => {
  const rig = new TransferRig({ blocks: 4 })
  const { session } = rig.begin({ last: 2 })
  rig.port().onOperation = () => claimAnswer({ verified: [blocks(0, 2)] })
  rig.context.acknowledge(session, 2 * BLOCK_SIZE)
  await pass(rig)
  expect(rig.context.plan.verified).toEqual([blocks(0, 2)])
  expect(rig.logged('completed').map((event) => event.session)).toEqual([session])
})

test('a source that cannot be read fails the transfer with its own words', async () => {
  const rig = taking(new TransferRig(), 's0')
  const fault = new UploadError('source-changed', 'the file was changed')
  rig.source.read = () => Promise.reject(fault)
  rig.begin({ last: 4 })
  await pass(rig)
  expect(rig.parts.failure).toBe(fault)
  expect(claimed(rig)).toEqual([])
})

test('a mirror that refuses digests is left out, and what it got is nobody’s again', async () => {
  const rig = taking(new TransferRig({ addresses: [1, 1] }), 's0')
  rig.port('s1').onOperation = ({ op }) => (op === 'claim' ? refusal(403)() : silence())
  const { session } = rig.begin({ store: 's1', last: 4 })
  rig.context.acknowledge(session, 4 * BLOCK_SIZE)
  await pass(rig)
  expect(rig.store('s1').state).toBe('unusable')
  expect(rig.context.plan.unassigned()).toEqual([blocks(0, 8)])
})

test('a home that refuses digests refuses the upload', async () => {
  const rig = new TransferRig()
  rig.port().onOperation = refusal(403)
  rig.begin({ last: 4 })
  await pass(rig)
  expect(rig.parts.failure).toMatchObject({ code: 'refused', status: 403 })
})

test('a stop ends the claim in flight and the pause before the next', async () => {
  const asking = new TransferRig()
  asking.begin({ last: 4 })
  await pass(asking)
  const resting = new TransferRig()
  resting.port().onOperation = refusal(503)
  resting.begin({ last: 4 })
  await pass(resting)
  for (const rig of [asking, resting]) {
    rig.parts.stop()
    await rig.parts.outcomes.stopAll()
    await rig.clock.run(0)
  }
  expect([asking.clock.timers, resting.clock.timers]).toEqual([0, 0])
})
