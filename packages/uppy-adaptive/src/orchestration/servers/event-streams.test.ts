import type { ServerEvent } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import type { OpenStream } from '../../testing/scripted-port.js'
import { everythingDone } from '../../testing/simulated-clock.js'
import { TransferRig } from '../../testing/transfer-rig.js'
import { EventStreams } from './event-streams.js'

const LOAD: ServerEvent = { type: 'load', load: 0.5 }

function opened(rig = new TransferRig()) {
  const heard: { store: string; event: ServerEvent }[] = []
  const inDoubt = new Set<string>()
  const streams = new EventStreams(rig.context, {
    onEvent: (store, event) => heard.push({ store: store.id, event }),
    isInDoubt: (store) => inDoubt.has(store),
  })
  streams.open(rig.store())
  return { rig, streams, heard, inDoubt }
}

function latest(rig: TransferRig, store = 's0', route = 0): OpenStream {
  const stream = rig.port(store, route).streams.at(-1)
  if (!stream) throw new Error('no stream is open')
  return stream
}

test('one stream per store, however often it is asked for', () => {
  const { rig, streams } = opened()
  streams.open(rig.store())
  streams.open(rig.store())
  expect(rig.port().streams).toHaveLength(1)
  expect(latest(rig).client).toBe(rig.context.client)
})

test('what it says is passed on with its store, and every sign of life dates the route', async () => {
  const { rig, heard } = opened()
  await rig.clock.run(1_000)
  latest(rig).beat()
  latest(rig).say(LOAD, 'e-1')
  expect(heard).toEqual([{ store: 's0', event: LOAD }])
  expect(rig.route().heardAtMs).toBe(1_000)
  expect(rig.context.model.store('s0').lastHeardMs).toBe(1_000)
})

test('a broken stream is opened again after the last event that it told, later each time', async () => {
  const { rig } = opened()
  latest(rig).say(LOAD, 'e-7')
  latest(rig).break()
  await rig.clock.run(374)
  expect(rig.port().streams).toHaveLength(1)
  await rig.clock.run(1)
  expect(rig.port().streams.map((stream) => stream.lastEventId)).toEqual([undefined, 'e-7'])
  latest(rig).break()
  await rig.clock.run(749)
  expect(rig.port().streams).toHaveLength(2)
  await rig.clock.run(1)
  expect(rig.port().streams).toHaveLength(3)
})

test('a stream that was alive is opened again as soon as the first', async () => {
  const { rig } = opened()
  for (let i = 1; i < 5; i++) {
    latest(rig).beat()
    latest(rig).break()
    await rig.clock.run(375)
    expect(rig.port().streams).toHaveLength(i + 1)
  }
})

test('a stream that falls silent is ended and opened anew; one that beats is not', async () => {
  const { rig } = opened()
  for (let i = 0; i < 10; i++) {
    await rig.clock.run(1_000)
    latest(rig).beat()
  }
  expect(rig.port().streams).toHaveLength(1)
  const silent = latest(rig)
  await rig.clock.run(6_000)
  expect(silent.signal.aborted).toBe(true)
  await rig.clock.run(375)
  expect(rig.port().streams).toHaveLength(2)
})

test('a stream that is silent together with a session, while its address answers, is opened anew at once, then later each time', async () => {
  const { rig, streams, inDoubt } = opened()
  latest(rig).say(LOAD, 'e-5')
  const look = async (ms: number) => {
    await rig.clock.run(ms)
    rig.route().heardAtMs = rig.clock.now()
    streams.open(rig.store())
    await everythingDone()
  }
  inDoubt.add('s0')
  await look(1_499)
  expect(rig.port().streams).toHaveLength(1)
  await look(1)
  expect(rig.port().streams.map((stream) => stream.lastEventId)).toEqual([undefined, 'e-5'])
  expect(rig.clock.now()).toBe(1_500)
  await look(1_500)
  expect(rig.port().streams).toHaveLength(2)
  await rig.clock.run(750)
  expect(rig.port().streams).toHaveLength(3)
  // one that speaks stays
  for (let i = 0; i < 5; i++) {
    latest(rig).beat()
    await look(1_000)
  }
  expect(rig.port().streams).toHaveLength(3)
})

test('in the dark a stream in doubt is kept: a new one would be no better', async () => {
  const { rig, streams, inDoubt } = opened()
  latest(rig).beat()
  inDoubt.add('s0')
  await rig.clock.run(5_999)
  streams.open(rig.store())
  await everythingDone()
  expect(rig.port().streams).toHaveLength(1)
})

test('a stream that was asked for in the dark is asked for anew as soon as its address answers again, once', async () => {
  const { rig, streams } = opened()
  latest(rig).beat()
  expect(rig.store().tellsSinceMs).toBe(0)
  await rig.clock.run(6_000)
  expect(rig.store().tellsSinceMs).toBe(Number.POSITIVE_INFINITY)
  await rig.clock.run(375)
  const [, inTheDark] = rig.port().streams
  await rig.clock.run(1_000)
  for (const _ of [1, 2]) {
    const nowMs = rig.clock.now()
    rig.route().answering.note({ nowMs, askedMs: nowMs, rtoMs: 0 })
    streams.open(rig.store())
    await everythingDone()
    await rig.clock.run(100)
  }
  expect(inTheDark?.signal.aborted).toBe(true)
  expect(rig.port().streams).toHaveLength(3)
  latest(rig).beat()
  expect(rig.store().tellsSinceMs).toBe(rig.clock.now())
})

test('the rest after a stream in vain ends when its address answers again', async () => {
  const { rig, streams } = opened()
  latest(rig).beat()
  for (let i = 0; i < 4; i++) {
    latest(rig).break()
    await rig.clock.run(375 * 2 ** i)
  }
  latest(rig).break()
  await rig.clock.run(100)
  expect(rig.port().streams).toHaveLength(5)
  const nowMs = rig.clock.now()
  rig.route().answering.note({ nowMs, askedMs: nowMs, rtoMs: 0 })
  streams.open(rig.store())
  await everythingDone()
  expect(rig.port().streams).toHaveLength(6)
})

test('of a stream that never spoke nothing is expected: a proxy may hold it back', async () => {
  const { rig, streams } = opened()
  await rig.clock.run(6_100)
  const nowMs = rig.clock.now()
  rig.route().answering.note({ nowMs, askedMs: nowMs, rtoMs: 0 })
  streams.open(rig.store())
  await everythingDone()
  expect([rig.port().streams.length, rig.store().tellsSinceMs]).toEqual([1, Number.NEGATIVE_INFINITY])
})

test('a machine that slept ends its silent stream once, and opens one', async () => {
  const { rig } = opened()
  rig.clock.advance(3_600_000)
  await everythingDone()
  expect(latest(rig).signal.aborted).toBe(true)
  await rig.clock.run(1_000)
  expect(rig.port().streams).toHaveLength(2)
})

test('it follows its store to another route at once, and goes on after the same event', async () => {
  const { rig, streams } = opened(new TransferRig({ addresses: [2] }))
  latest(rig).say(LOAD, 'e-3')
  rig.route('s0', 1).heardAtMs = 1
  rig.directory.leaveRoute('s0', rig.route())
  streams.open(rig.store())
  await everythingDone()
  expect(latest(rig).signal.aborted).toBe(true)
  expect(rig.port('s0', 1).streams.map((stream) => stream.lastEventId)).toEqual(['e-3'])
  expect(rig.clock.now()).toBe(0)
})

test('it ends with the transfer and leaves no timer, whether it is open or about to be', async () => {
  const open = opened().rig
  const waiting = opened().rig
  latest(waiting).break()
  await everythingDone()
  for (const rig of [open, waiting]) rig.parts.stop()
  await everythingDone()
  expect([open, waiting].map((rig) => rig.clock.timers)).toEqual([0, 0])
  await open.clock.run(60_000)
  expect(open.port().streams).toHaveLength(1)
})

test('how busy a store is comes with the stream’s answer and by its events, and what is no share is taken for the nearest', () => {
  const rig = new TransferRig()
  rig.port().load = 0.25
  opened(rig)
  const load = () => rig.context.model.store('s0').load
  expect(load()).toBe(0.25)
  for (const [told, taken] of [
    [0.5, 0.5],
    [7, 1],
    [-1, 0],
  ] as const) {
    latest(rig).say({ type: 'load', load: told }, 'e-1')
    expect(load()).toBe(taken)
  }
})
