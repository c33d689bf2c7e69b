import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BLOCK_SIZE, parseLoad } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { reconcile } from '../reconcile.js'
import { TestClient, TestFile } from '../testing/client.js'
import type { TestStore } from '../testing/server.js'
import { clientOf, testStores } from '../testing/stores.js'
import { TestEvents } from '../testing/streams.js'
import { LoadMonitor } from './load-monitor.js'

const B = BLOCK_SIZE
const { open } = testStores()

async function loadOf(store: TestStore): Promise<number> {
  const { headers } = await fetch(store.endpoint, { method: 'OPTIONS' })
  return parseLoad(headers.get('reconcile-load')) ?? Number.NaN
}

/** Requests keep the loop busy, so that there is a load after some of them. */
async function untilBusy(store: TestStore): Promise<void> {
  while (!((await loadOf(store)) > 0));
}

test('P172: A server that is too busy MUST refuse new sessions and uploads with 503 and `Retry-After`; known ones go on', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'reconcile-load-'))
  const idle = await open({ directory })
  const file = new TestFile(2 * B)
  const session = new TestClient(idle.endpoint, file, idle.storeId).session(0, B)
  expect((await new TestClient(idle.endpoint, file, idle.storeId).post(session)).status).toBe(201)
  await idle.close()
  // any load at all is too much for this one
  const store = await open({ directory, reconcile: { shedAbove: 0 } })
  const client = new TestClient(store.endpoint, file, store.storeId)
  await untilBusy(store)
  const refused = await client.post(client.session(B, 2 * B), client.file.bytes.subarray(B))
  expect([refused.status, JSON.parse(refused.text).error.code]).toEqual([503, 'overloaded'])
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  const plain = await client.send(store.endpoint, {
    method: 'POST',
    headers: { 'Tus-Resumable': '1.0.0', 'Upload-Length': '1' },
  })
  expect([plain.status, plain.headers.get('retry-after')]).toEqual([503, '5'])
  session.attempt = 1
  expect((await client.post(session)).status).toBe(200)
  session.attempt = 2
  expect((await client.patch(session, 0, client.file.bytes.subarray(0, B))).status).toBe(204)
  expect((await client.claim(session)).status).toBe(200)
  await rm(directory, { recursive: true })
})

test('P178: A `load` event MUST carry the id of the event before it, and is not sent again', async () => {
  const store = await open()
  const client = clientOf(store, B)
  const stream = await new TestEvents(store.endpoint, client.file.client).open()
  await client.claim(await client.upload(0, B))
  await stream.until((event) => event.type === 'verified')
  let isTold = false
  const told = stream
    .until((event) => event.type === 'load')
    .then((event) => {
      isTold = true
      return event
    })
  // answering this keeps the loop busy
  while (!isTold) await loadOf(store)
  expect(await told).toMatchObject({ load: expect.closeTo(0.5, 0) })
  const at = stream.events.findIndex(({ event }) => event.type === 'load')
  const before = stream.events.slice(0, at).findLast(({ event }) => event.type !== 'load')
  expect(stream.events[at]?.id).toBe(before?.id ?? stream.events[at]?.id.replace(/\d+$/, '0'))
  stream.close()
})

test('every answer tells the load, and a bound of 1 never refuses', async () => {
  const store = await open({ reconcile: { shedAbove: 1 } })
  await untilBusy(store)
  const client = clientOf(store, B)
  const session = await client.upload(0, B)
  const answers = [
    await client.head({ ...session, attempt: 1 }),
    await client.operate({ op: 'status', group: client.file.group, home: store.storeId }),
    await client.send(`${store.endpoint}/nothing`, {}),
    await client.send(session.url, { method: 'DELETE', headers: { 'Tus-Resumable': '1.0.0' } }),
  ]
  for (const { headers } of answers) expect(parseLoad(headers.get('reconcile-load'))).toBeGreaterThan(0)
  expect((await store.extension.metrics()).text).toMatch(/^tus_reconcile_load 0\.\d+$/m)
})

test('a write that does not end is load, until it ends', async () => {
  const monitor = new LoadMonitor()
  const written = monitor.writing(1)
  while (monitor.load < 0.5) await new Promise((resolve) => setTimeout(resolve, 10))
  written()
  while (monitor.load > 0.4) await new Promise((resolve) => setTimeout(resolve, 10))
  monitor.close()
})

test('a bound that is no load is refused by name', async () => {
  const { server } = await open()
  expect(() => reconcile(server, { shedAbove: 2 })).toThrow(/shedAbove/)
  expect(() => reconcile(server, { shedAbove: Number.NaN })).toThrow(/shedAbove/)
})
