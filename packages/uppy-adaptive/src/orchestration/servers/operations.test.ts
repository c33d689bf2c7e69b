import { expect, test } from 'vitest'
import { everythingDone } from '../../testing/simulated-clock.js'
import { broken, refusal, statusOf, TransferRig } from '../../testing/transfer-rig.js'
import { OperationError } from '../ports.js'

const NEVER = new AbortController().signal
const STATUS = statusOf()

/** Which addresses were asked, in the order in which they were. */
function watched(rig: TransferRig, names: readonly (readonly [string, number])[]): string[] {
  const asked: string[] = []
  for (const [store, route] of names) {
    const port = rig.port(store, route)
    const answer = port.onOperation
    port.onOperation = (request) => {
      asked.push(`${store}-${route}`)
      return answer(request)
    }
  }
  return asked
}

const THREE = [
  ['s0', 0],
  ['s0', 1],
  ['s1', 0],
  ['s2', 0],
] as const

function breakAll(rig: TransferRig): void {
  for (const [store, route] of THREE) rig.port(store, route).onOperation = broken
}

test('a store in trust is asked by its route, then by its other routes, then through other servers', async () => {
  const rig = new TransferRig({ addresses: [2, 1, 1] })
  breakAll(rig)
  const asked = watched(rig, THREE)
  await expect(rig.parts.operations.ask('s0', { op: 'status' }, NEVER)).rejects.toThrow('broke')
  expect(asked).toEqual(['s0-0', 's0-1', 's1-0', 's2-0'])
})

test('a store in suspicion is asked through others first', async () => {
  const rig = new TransferRig({ addresses: [2, 1, 1] })
  breakAll(rig)
  rig.directory.suspect('s0', 'silent', 0)
  const asked = watched(rig, THREE)
  await expect(rig.parts.operations.ask('s0', { op: 'status' }, NEVER)).rejects.toThrow('broke')
  expect(asked).toEqual(['s1-0', 's2-0', 's0-0', 's0-1'])
})

test('servers in suspicion relay nothing, and the route in use comes first whichever it is', async () => {
  const rig = new TransferRig({ addresses: [2, 1, 1] })
  breakAll(rig)
  rig.directory.suspect('s1', 'silent', 0)
  rig.route('s0', 1).heardAtMs = 1
  rig.directory.leaveRoute('s0', rig.route('s0', 0))
  const asked = watched(rig, THREE)
  await expect(rig.parts.operations.ask('s0', { op: 'status' }, NEVER)).rejects.toThrow('broke')
  expect(asked).toEqual(['s0-1', 's0-0', 's2-0'])
})

test('every request names the group, its home, the store that it is for and who asks', async () => {
  const rig = new TransferRig({ addresses: [1, 1] })
  rig.port('s1').onOperation = () => STATUS
  await rig.parts.operations.ask('s1', { op: 'status' }, NEVER)
  const { group, client } = rig.context
  expect(rig.port('s1').operations).toEqual([{ op: 'status', group, home: 's0', store: 's1', client }])
})

test('a refusal is the store’s word: nobody else is asked', async () => {
  const rig = new TransferRig({ addresses: [2, 1] })
  rig.port().onOperation = refusal(404)
  await expect(rig.parts.operations.ask('s0', { op: 'status' }, NEVER)).rejects.toMatchObject({ status: 404 })
  expect([rig.port('s0', 1).asked, rig.port('s1').asked]).toEqual([[], []])
})

test('a server’s own trouble is nobody’s word: the next way is tried', async () => {
  const rig = new TransferRig({ addresses: [1, 1] })
  rig.port().onOperation = refusal(503)
  rig.port('s1').onOperation = () => STATUS
  expect(await rig.parts.operations.ask('s0', { op: 'status' }, NEVER)).toEqual(STATUS)
  expect(rig.logged('relayed')).toMatchObject([{ operation: 'status', store: 's0', through: 'http://s1-0.test/files' }])
})

test('a mirror that is no peer of the store says nothing of it', async () => {
  const rig = new TransferRig({ addresses: [1, 1, 1] })
  rig.port().onOperation = broken
  rig.port('s1').onOperation = refusal(404, 'unknown-store')
  rig.port('s2').onOperation = () => STATUS
  expect(await rig.parts.operations.ask('s0', { op: 'status' }, NEVER)).toEqual(STATUS)
  rig.port('s2').onOperation = rig.port('s1').onOperation
  const failure = await rig.parts.operations.ask('s0', { op: 'status' }, NEVER).catch((error: unknown) => error)
  expect(failure).not.toBeInstanceOf(OperationError)
  expect(failure).toMatchObject({ message: 'http://s2-0.test/files does not lead to store s0' })
})

test('silence ends after a deadline, and the next way is tried', async () => {
  const rig = new TransferRig({ addresses: [1, 1] })
  rig.port('s1').onOperation = () => STATUS
  const answer = rig.parts.operations.ask('s0', { op: 'status' }, NEVER)
  await rig.clock.run(2_499)
  expect(rig.port('s1').asked).toEqual([])
  expect(await rig.clock.settle(answer)).toEqual(STATUS)
  expect(rig.clock.timers).toBe(0)
})

test('a store that was silent where another led to it is asked through that one from then on, until it is heard', async () => {
  const rig = new TransferRig({ addresses: [1, 1] })
  rig.port('s1').onOperation = () => STATUS
  const { operations } = rig.parts
  await rig.clock.settle(operations.ask('s0', { op: 'status' }, NEVER))
  const asked = watched(rig, [
    ['s0', 0],
    ['s1', 0],
  ])
  expect(await operations.ask('s0', { op: 'status' }, NEVER)).toEqual(STATUS)
  expect(asked).toEqual(['s1-0'])
  rig.port().onOperation = () => STATUS
  rig.context.model.heard({ nowMs: rig.clock.now(), store: 's0' })
  await operations.ask('s0', { op: 'status' }, NEVER)
  expect(rig.port().asked).toHaveLength(2)
})

test('an answer dates its route and its store; a relayed one is no round trip of either', async () => {
  const rig = new TransferRig({ addresses: [1, 1] })
  rig.port().onOperation = broken
  rig.port('s1').onOperation = () => STATUS
  await rig.clock.run(1_000)
  await rig.parts.operations.ask('s0', { op: 'status' }, NEVER)
  expect(rig.route('s1').heardAtMs).toBe(1_000)
  expect(rig.route('s0').heardAtMs).toBe(Number.NEGATIVE_INFINITY)
  expect(rig.context.model.store('s1')).toMatchObject({ lastHeardMs: 1_000, requestRttMs: undefined })
  await rig.parts.operations.ask('s1', { op: 'status' }, NEVER)
  expect(rig.context.model.store('s1').requestRttMs).toBeDefined()
})

test('a stop ends the request in flight and tries no other way', async () => {
  const rig = new TransferRig({ addresses: [2, 1] })
  const stop = new AbortController()
  const answer = rig.parts.operations.ask('s0', { op: 'status' }, stop.signal).catch((error: unknown) => error)
  await everythingDone()
  stop.abort()
  expect(await answer).toBeInstanceOf(Error)
  expect([rig.port('s0', 1).asked, rig.port('s1').asked]).toEqual([[], []])
  expect(rig.clock.timers).toBe(0)
})

test('a store that nobody knows is asked for through the others; with nobody left the error names it', async () => {
  const rig = new TransferRig({ addresses: [1] })
  rig.port().onOperation = () => STATUS
  expect(await rig.parts.operations.ask('elsewhere', { op: 'status' }, NEVER)).toEqual(STATUS)
  rig.directory.suspect('s0', 'silent', 0)
  await expect(rig.parts.operations.ask('elsewhere', { op: 'status' }, NEVER)).rejects.toThrow(
    'no server leads to store elsewhere',
  )
})

test('the load that an answer tells is that of the server that gave it, relayed or refused', async () => {
  const rig = new TransferRig({ addresses: [1, 1] })
  const load = (store: string) => rig.context.model.store(store).load
  rig.port().onOperation = broken
  rig.port('s1').onOperation = () => STATUS
  rig.port('s1').load = 0.4
  await rig.parts.operations.ask('s0', { op: 'status' }, NEVER)
  expect([load('s0'), load('s1')]).toEqual([0, 0.4])
  rig.port().onOperation = refusal(400)
  rig.port().load = 0.7
  await expect(rig.parts.operations.ask('s0', { op: 'status' }, NEVER)).rejects.toThrow('400')
  expect([load('s0'), load('s1')]).toEqual([0.7, 0.4])
})

test('a refusal for load is no failure: the store is busy for as long as it says', async () => {
  const rig = new TransferRig()
  const { model } = rig.context
  const { failuresPerSecond } = model.store('s0')
  rig.port().onOperation = () => {
    throw new OperationError({ status: 429, code: 'too-many', message: 'later', retryAfterMs: 30_000 })
  }
  await expect(rig.parts.operations.ask('s0', { op: 'status' }, NEVER)).rejects.toThrow('later')
  await rig.clock.run(29_000)
  model.tick({ nowMs: rig.clock.now() })
  expect(model.store('s0')).toMatchObject({ load: 1, failuresPerSecond })
})

test('a refusal for load that was relayed is not held against the server that relayed it', async () => {
  const rig = new TransferRig({ addresses: [1, 1] })
  rig.port().onOperation = broken
  rig.port('s1').onOperation = () => {
    throw new OperationError({ status: 503, code: 'home-away', message: 'away', retryAfterMs: 5_000 })
  }
  await expect(rig.parts.operations.ask('s0', { op: 'status' }, NEVER)).rejects.toThrow('away')
  expect(['s0', 's1'].map((store) => rig.context.model.store(store).load)).toEqual([0, 0])
})
