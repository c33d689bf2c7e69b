import type { GroupOperationRequest } from 'tus-reconcile-protocol'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { silence } from '../../testing/scripted-port.js'
import { blocks, claimAnswer, TransferRig } from '../../testing/transfer-rig.js'

/** A store that has these blocks of what it is asked about, a second's worth at a time. */
function having(o: { blocks: number; has: (index: number) => boolean; atOnce?: number }) {
  const rig = new TransferRig({ blocks: o.blocks })
  const asked: [number, number][] = []
  rig.port().onOperation = (request: GroupOperationRequest) => {
    const copied = o.has(0) ? [blocks(0, 1)] : []
    if (request.op === 'claim') return claimAnswer({ verified: copied, attached: copied })
    if (request.op !== 'have') return silence()
    const indices = request.blocks.map(({ start }) => start / BLOCK_SIZE)
    asked.push([indices[0] ?? -1, indices.length])
    const found = indices.filter(o.has).slice(0, o.atOnce)
    return { attached: found.map((index) => blocks(index, index + 1)) }
  }
  const found = async () => {
    rig.parts.claims.adopt({ session: 'c', store: 's0', range: blocks(0, 1), isVerified: false })
    rig.parts.claims.pass(rig.clock.now())
    await rig.clock.run(0)
    return rig.context.plan.verified
  }
  return { rig, asked, found }
}

test('a block that is there though nobody has sent it has the rest asked for by digest, 64 MiB at once', async () => {
  const { rig, asked, found } = having({ blocks: 600, has: () => true })
  expect(await found()).toEqual([blocks(0, 600)])
  expect(asked).toEqual([
    [1, 256],
    [257, 256],
    [513, 87],
  ])
  expect(rig.logged('verified').map(({ via }) => via)).toEqual(['claim', 'have', 'have', 'have'])
})

test('what is found is news also when its event comes before the answer: all of a large file is asked about', async () => {
  const { rig, asked, found } = having({ blocks: 1_000, has: () => true })
  const answer = rig.port().onOperation
  rig.port().onOperation = async (request) => {
    const said = await answer(request)
    if ('attached' in said) rig.context.plan.verify(said.attached)
    return said
  }
  expect(await found()).toEqual([blocks(0, 1_000)])
  expect(asked.map(([first]) => first)).toEqual([1, 257, 513, 769])
})

test('what a claim has found is searched for also when its event comes before the answer', async () => {
  const { rig, asked, found } = having({ blocks: 40, has: (index) => index < 20 })
  rig.begin({ last: 40 })
  const answer = rig.port().onOperation
  rig.port().onOperation = async (request) => {
    if (request.op === 'claim') rig.context.plan.verify([blocks(0, 1)])
    return answer(request)
  }
  expect(await found()).toEqual([blocks(0, 20)])
  expect(asked.length).toBeGreaterThan(0)
})

test('what a store copies only in part at once is asked about again; gaps are left to be sent', async () => {
  const { asked, found } = having({ blocks: 40, has: (index) => index !== 5 && index < 20, atOnce: 8 })
  expect(await found()).toEqual([blocks(0, 5), blocks(6, 20)])
  expect(asked.length).toBeLessThan(8)
})

test('blocks that many files have, such as zeros, end the search, and the whole file is not hashed before it is sent', async () => {
  const { rig, asked, found } = having({ blocks: 2_000, has: (index) => index % 20 === 0 })
  await found()
  expect(asked.map(([first]) => first)).toEqual([1, 257])
  // what was found need not be sent for all that
  expect(rig.context.plan.isCovered(blocks(20, 21))).toBe(true)
})

test('no session begins while it searches, and then they begin with what is missing', async () => {
  const { rig, found } = having({ blocks: 40, has: (index) => index < 20 })
  rig.context.isSearching = true
  rig.parts.assigner.pass()
  expect(rig.context.plan.sessions()).toEqual([])
  rig.context.isSearching = false
  await found()
  rig.parts.assigner.pass()
  expect(rig.context.plan.sessions()[0]?.start).toBe(blocks(20, 21).start)
})

test('a session that would send the rest is cut where it is: of what is found in it nothing is sent', async () => {
  const { rig, found } = having({ blocks: 40, has: (index) => index < 20 })
  const { session } = rig.begin({ last: 40 })
  await found()
  expect(rig.context.plan.session(session)?.end).toBeLessThan(4 * BLOCK_SIZE)
  rig.parts.assigner.pass()
  expect(rig.logged('session').map(({ start }) => start)).toEqual([0, 20 * BLOCK_SIZE])
})

test('one that has little left to send sends it meanwhile', async () => {
  const { rig, found } = having({ blocks: 40, has: (index) => index < 20 })
  const { session } = rig.begin({ last: 15 })
  await found()
  expect(rig.context.plan.session(session)?.end).toBe(15 * BLOCK_SIZE)
})

test('blocks that the server has before we know that they left us start no search, and cut nothing', async () => {
  const { rig, asked, found } = having({ blocks: 40, has: () => true })
  const { session } = rig.begin({ last: 40 })
  const answer = rig.port().onOperation
  rig.port().onOperation = (request) =>
    request.op === 'claim' ? claimAnswer({ verified: [blocks(0, 16)] }) : answer(request)
  expect(await found()).toEqual([blocks(0, 16)])
  expect(asked).toEqual([])
  expect(rig.context.isSearching).toBe(false)
  expect(rig.logged('split')).toEqual([])
  expect(rig.context.plan.session(session)?.end).toBe(40 * BLOCK_SIZE)
})

test('what a claim copied is searched for once, though each claim of it names it again', async () => {
  const { asked, found } = having({ blocks: 40, has: (index) => index < 20 })
  await found()
  const { length } = asked
  expect(length).toBeGreaterThan(0)
  await found()
  expect(asked).toHaveLength(length)
})

test('what servers copied for an upload before it was paused is not searched for again', async () => {
  const { rig, asked, found } = having({ blocks: 8, has: () => true })
  rig.context.plan.verify([blocks(0, 1)])
  rig.parts.search.know(rig.context.plan.verified)
  await found()
  expect(asked).toEqual([])
})

test('a store that cannot be asked ends the search', async () => {
  const { rig, found } = having({ blocks: 8, has: () => true })
  const answer = rig.port().onOperation
  rig.port().onOperation = (request) => (request.op === 'have' ? Promise.reject(new Error('broken')) : answer(request))
  expect(await found()).toEqual([blocks(0, 1)])
  expect(rig.context.isSearching).toBe(false)
})
