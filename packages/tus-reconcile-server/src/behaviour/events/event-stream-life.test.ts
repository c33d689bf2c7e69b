import { getEventListeners } from 'node:events'
import { type ClientRequest, request as httpRequest } from 'node:http'
import { BLOCK_SIZE, OPERATION_CONTENT_TYPE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { EventHub } from '../../groups/events.js'
import { events } from '../../handlers/operations/op-events.js'
import { resolveLimits } from '../../limits/limit-options.js'
import { Limits } from '../../limits/limits.js'
import { Metrics } from '../../metrics/metrics.js'
import { EntryIndex } from '../../records/entry-index.js'
import { MemoryEntries } from '../../records/memory-index.js'
import type { EntryWrites } from '../../records/ordered-entries.js'
import { newId } from '../../testing/client.js'
import type { TestStore } from '../../testing/server.js'
import { clientOf, testStores } from '../../testing/stores.js'
import { TestEvents } from '../../testing/streams.js'

const B = BLOCK_SIZE
const { open } = testStores()

async function streamsOf(store: TestStore): Promise<number> {
  return Number(/^tus_reconcile_event_streams (\d+)$/m.exec((await store.extension.metrics()).text)?.[1])
}

async function untilStreams(store: TestStore, count: number): Promise<void> {
  while ((await streamsOf(store)) !== count) await new Promise((resolve) => setImmediate(resolve))
}

const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length

/** A stream on a connection of its own, that can vanish without a word. */
class RawStream {
  readonly client = newId()
  readonly request: ClientRequest
  text = ''
  #wake: () => void = () => {}
  constructor(endpoint: string) {
    const headers = { 'Tus-Resumable': '1.0.0', 'Content-Type': OPERATION_CONTENT_TYPE }
    this.request = httpRequest(endpoint, { method: 'POST', headers, agent: false }, (response) => {
      response.on('data', (chunk) => {
        this.text += chunk
        this.#wake()
      })
      response.on('error', () => {})
    })
    this.request.on('error', () => {})
    this.request.end(JSON.stringify({ op: 'events', client: this.client }))
  }
  async until(text: string): Promise<void> {
    while (!this.text.includes(text)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
  vanish(): void {
    this.request.socket?.resetAndDestroy()
  }
}

test('of 200 streams half vanish: the others go on, and nothing of the lost is left, nor of all in the end', async () => {
  const store = await open()
  const before = timers()
  const warnings: string[] = []
  const onWarning = (warning: Error) => warnings.push(warning.name)
  process.on('warning', onWarning)
  const streams = Array.from({ length: 200 }, () => new RawStream(store.endpoint))
  await Promise.all(streams.map((stream) => stream.until(': hb')))
  expect(await streamsOf(store)).toBe(200)
  expect(timers()).toBeGreaterThanOrEqual(200)
  for (const stream of streams.slice(0, 100)) stream.vanish()
  await untilStreams(store, 100)
  // one upload, to which clients that are here and clients that are gone have sessions
  const client = clientOf(store, B)
  const told = streams.slice(80, 120)
  for (const { client: other } of told) {
    const session = client.session(0, B)
    expect((await client.post(session, undefined, client.header(session, { client: other }))).status).toBe(201)
  }
  await client.claim(await client.upload(0, B))
  await Promise.all(told.slice(20).map((stream) => stream.until('"verified"')))
  for (const stream of streams.slice(100)) stream.vanish()
  await untilStreams(store, 0)
  while (timers() > before) await new Promise((resolve) => setTimeout(resolve, 20))
  expect(warnings).toEqual([])
  process.off('warning', onWarning)
})

test('a stream that is given up leaves no listener and no subscription', async () => {
  const store = await open()
  const closing = new AbortController()
  const hub = new EventHub('epoch')
  const groups = { all: () => [] }
  const metrics = new Metrics(groups, { load: 0 })
  const limits = new Limits(resolveLimits({ eventStreams: { client: 4, address: 4 } }))
  const site = { hub, groups, closing: closing.signal, storeId: store.storeId, server: store.server, metrics, limits }
  const req = Object.assign(new Request(store.endpoint), {
    runtime: { node: { req: { socket: { remoteAddress: '192.0.2.1' } } } },
  })
  // only what an event stream uses of them
  const exchange = Object.assign(Object.create(null), { req, headers: new Headers() })
  const answer = events(Object.assign(Object.create(null), site), exchange, { op: 'events', client: newId() })
  expect([getEventListeners(closing.signal, 'abort').length, limits.size]).toEqual([1, 1])
  await answer.body?.cancel()
  expect([getEventListeners(closing.signal, 'abort').length, limits.size]).toEqual([0, 0])
  expect(await metrics.text()).toContain('tus_reconcile_event_streams 0')
})

test('proxies are told not to buffer or store a stream', async () => {
  const store = await open()
  const answer = await fetch(store.endpoint, {
    method: 'POST',
    headers: { 'Tus-Resumable': '1.0.0', 'Content-Type': OPERATION_CONTENT_TYPE },
    body: JSON.stringify({ op: 'events', client: newId() }),
  })
  const header = (name: string) => answer.headers.get(name)
  expect([header('x-accel-buffering'), header('cache-control'), header('content-type')]).toEqual([
    'no',
    'no-store',
    'text/event-stream',
  ])
  await answer.body?.cancel()
})

test('offsets are told at most each 100 ms per session, the last one always', async () => {
  const store = await open()
  const client = clientOf(store, 4 * B)
  const session = client.session(0, 4 * B)
  await client.post(session)
  const stream = await new TestEvents(store.endpoint, client.file.client).open()
  const slow = await client.beginPatch(session, 1)
  const began = performance.now()
  let sent = 1
  for (; performance.now() - began < 1000; sent += 1000) {
    slow.write(client.file.bytes.subarray(sent, sent + 1000))
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await stream.until((event) => event.type === 'offset' && event.offset === sent)
  const elapsed = performance.now() - began
  const offsets = stream.events.flatMap(({ event }) => (event.type === 'offset' ? [event.offset] : []))
  expect(offsets.length).toBeGreaterThan(2)
  // the first is of the byte before it began
  expect(offsets.length).toBeLessThanOrEqual(elapsed / 100 + 2)
  expect([...offsets].sort((a, b) => a - b)).toEqual(offsets)
  slow.destroy()
  stream.close()
})

/** Records that can be held up. */
class HeldEntries extends MemoryEntries {
  held: Promise<void> = Promise.resolve()
  writes = 0
  override async write(writes: EntryWrites): Promise<void> {
    this.writes++
    await this.held
    await super.write(writes)
  }
}

test('P76: An `offset` event MUST tell a recorded offset: it is an acknowledgement, so none comes while nothing can be recorded', async () => {
  const entries = new HeldEntries()
  const store = await open({ reconcile: { index: new EntryIndex(entries) } })
  const client = clientOf(store, 2 * B)
  const session = client.session(0, 2 * B)
  await client.post(session)
  const stream = await new TestEvents(store.endpoint, client.file.client).open()
  const slow = await client.beginPatch(session, 10)
  await stream.until((event) => event.type === 'offset' && event.offset === 10)
  let release = () => {}
  entries.held = new Promise((resolve) => {
    release = resolve
  })
  const { writes } = entries
  slow.write(client.file.bytes.subarray(10, 1000))
  // the report has asked for its record, and half a second's worth of signs of life has come since
  while (entries.writes === writes) await new Promise((resolve) => setTimeout(resolve, 10))
  await stream.untilComments(stream.comments.length + 1)
  expect(stream.events.some(({ event }) => event.type === 'offset' && event.offset > 10)).toBe(false)
  release()
  await stream.until((event) => event.type === 'offset' && event.offset === 1000)
  slow.destroy()
  stream.close()
})

test('a stream of a client without open sessions gives a sign of life each five seconds', async () => {
  const store = await open()
  const began = performance.now()
  const stream = new TestEvents(store.endpoint, newId())
  await stream.untilComments(2)
  expect(performance.now() - began).toBeGreaterThan(4000)
  stream.close()
})
