import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { EventHub } from '../../groups/events.js'
import { events } from '../../handlers/operations/op-events.js'
import { resolveLimits } from '../../limits/limit-options.js'
import { Limits } from '../../limits/limits.js'
import { Metrics } from '../../metrics/metrics.js'
import { newId } from '../../testing/client.js'
import { freshStore } from '../../testing/stores.js'
import { TestEvents } from '../../testing/streams.js'

const B = BLOCK_SIZE
const fresh = freshStore()

test('events are replayed after the last id, and a gap or another epoch is a reset', async () => {
  const client = fresh.clientOf(3 * B)
  const stream = await new TestEvents(fresh.store.endpoint, client.file.client).open()
  const session = await client.upload(0, 3 * B)
  await client.claim(session)
  await stream.until((event) => event.type === 'verified')
  await stream.until((event) => event.type === 'offset')
  stream.close()
  // the load is told to whoever listens, and not again
  const kept = (events: TestEvents['events']) => events.filter(({ event }) => event.type !== 'load').map(({ id }) => id)
  const ids = kept(stream.events)
  const replay = new TestEvents(fresh.store.endpoint, client.file.client, ids[0])
  await replay.until(() => kept(replay.events).length >= ids.length - 1)
  expect(kept(replay.events).slice(0, ids.length - 1)).toEqual(ids.slice(1))
  replay.close()
  const foreign = new TestEvents(fresh.store.endpoint, client.file.client, 'otherepoch-3')
  await foreign.until((event) => event.type === 'reset')
  foreign.close()
})

test('streams end and timers are cleared when the extension closes', async () => {
  const client = fresh.clientOf(B)
  const stream = await new TestEvents(fresh.store.endpoint, client.file.client).open()
  await fresh.store.extension.close()
  await stream.ended
})

test('a reader that does not read is cut, and forgotten', async () => {
  const client = newId()
  const hub = new EventHub('epoch')
  const groups = { all: () => [] }
  const site = {
    hub,
    groups,
    closing: new AbortController().signal,
    storeId: fresh.store.storeId,
    server: fresh.store.server,
    metrics: new Metrics(groups, { load: 0 }),
    limits: new Limits(resolveLimits()),
  }
  const exchange = { req: new Request(fresh.store.endpoint), headers: new Headers() }
  // only what an event stream uses of them
  const answer = events(Object.assign(Object.create(null), site), Object.assign(Object.create(null), exchange), {
    op: 'events',
    client,
  })
  const event = { type: 'offset', group: newId(), session: newId(), offset: 1 } as const
  for (let bytes = 0; bytes < 1_100_000; bytes += 100) hub.publish([client], event)
  const reader = answer.body?.getReader()
  await expect(reader?.read()).rejects.toThrow(/too slow/)
})

test('P75: a stream gives signs of life each second while a session is open', async () => {
  const client = fresh.clientOf(B)
  await client.post(client.session(0, B))
  const stream = await new TestEvents(fresh.store.endpoint, client.file.client).open()
  await stream.untilComments(3)
  expect(new Set(stream.comments)).toEqual(new Set([': hb']))
  stream.close()
})
