import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BLOCK_SIZE, OPERATION_CONTENT_TYPE } from 'tus-reconcile-protocol'
import { describe, expect, test } from 'vitest'
import { reconcile } from '../reconcile.js'
import { type Answer, newId, TestClient, TestFile } from '../testing/client.js'
import type { TestStore, TestStoreOptions } from '../testing/server.js'
import { testStores } from '../testing/stores.js'
import { TestEvents } from '../testing/streams.js'
import { type LimitOptions, resolveLimits } from './limit-options.js'
import { Limits } from './limits.js'

const B = BLOCK_SIZE
const stores = testStores()

function open(limits: LimitOptions, options: TestStoreOptions = {}): Promise<TestStore> {
  return stores.open({ ...options, reconcile: { limits } })
}

const clientOf = (store: TestStore, size: number) => new TestClient(store.endpoint, new TestFile(size), store.storeId)

function expectTooMany(answer: Answer): void {
  expect([answer.status, JSON.parse(answer.text).error.code]).toEqual([429, 'too-many'])
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
}

describe('P173: What goes beyond a limit of its client, upload or address MUST be refused with 429 and `Retry-After`', () => {
  test('unfinished uploads of a client: the first goes on, and its end makes room', async () => {
    const store = await open({ openGroups: { client: 1 } })
    const first = clientOf(store, 2 * B)
    await first.upload(0, B)
    const second = new TestClient(
      store.endpoint,
      Object.assign(new TestFile(B), { client: first.file.client }),
      store.storeId,
    )
    expectTooMany(await second.post(second.session(0, B)))
    expect((await second.operate({ op: 'status', group: second.file.group, home: store.storeId })).status).toBe(404)
    await first.upload(B, 2 * B)
    await clientOf(store, B).upload(0, B)
    await first.ask('terminate')
    await second.upload(0, B)
  })

  test.each([['group'], ['client'], ['address']] as const)('open sessions of one %s', async (scope) => {
    const store = await open({ liveSessions: { [scope]: 1 } })
    const client = clientOf(store, 2 * B)
    const session = client.session(0, B)
    await client.post(session)
    expectTooMany(await client.post(client.session(B, 2 * B)))
    // the look-up of one that is there is nothing new
    expect((await client.post({ ...session, attempt: 1 })).status).toBe(200)
    await client.ask('plan', { changes: [{ session: session.id, drop: true }] })
    while ((await client.post(client.session(B, 2 * B))).status !== 201);
  })

  test('bytes of unfinished uploads: what arrived is kept, and their end makes room', async () => {
    const store = await open({ unfinishedBytes: { client: 2 * B } })
    const client = clientOf(store, 8 * B)
    const session = client.session(0, 8 * B)
    const refused = await client.post(session, client.file.bytes)
    expectTooMany(refused)
    const kept = Number(refused.headers.get('upload-offset'))
    expect(kept).toBeGreaterThan(0)
    expect(kept).toBeLessThanOrEqual(2 * B)
    session.attempt = 1
    expectTooMany(await client.patch(session, kept, client.file.bytes.subarray(kept)))
    await client.ask('terminate')
    const again = new TestClient(
      store.endpoint,
      Object.assign(new TestFile(B), { client: client.file.client }),
      store.storeId,
    )
    await again.upload(0, B)
  })

  test('bodies at once: one more is not begun, those that run go on', async () => {
    const store = await open({ bodies: { client: 1 } })
    const client = clientOf(store, 2 * B)
    const first = client.session(0, B)
    await client.post(first)
    const slow = await client.beginPatch(first, 10)
    const second = client.session(B, 2 * B)
    const refused = await client.post(second, client.file.bytes.subarray(B))
    expectTooMany(refused)
    expect([refused.headers.get('upload-offset'), refused.headers.get('location')]).toEqual(['0', second.url])
    slow.write(client.file.bytes.subarray(10, B))
    slow.end()
    expect((await slow.answer).status).toBe(204)
    second.attempt = 1
    expect((await client.patch(second, 0, client.file.bytes.subarray(B))).status).toBe(204)
  })

  test('operations per second: twice as many at once, then the rate', async () => {
    const store = await open({ operationsPerSecond: { group: 1 } })
    const client = clientOf(store, B)
    await client.upload(0, B)
    const status = { op: 'status', group: client.file.group, home: store.storeId } as const
    const answers = await Promise.all(Array.from({ length: 8 }, () => client.operate(status)))
    const refused = answers.filter((answer) => answer.status === 429)
    expect(refused.length).toBeGreaterThan(0)
    for (const answer of refused) expectTooMany(answer)
    expect(answers.length - refused.length).toBeGreaterThanOrEqual(2)
  })

  test('event streams of an address: one that ends makes room', async () => {
    const store = await open({ eventStreams: { address: 1 } })
    const client = clientOf(store, B)
    const first = await new TestEvents(store.endpoint, client.file.client).open()
    const ask = () =>
      fetch(store.endpoint, {
        method: 'POST',
        headers: { 'Tus-Resumable': '1.0.0', 'Content-Type': OPERATION_CONTENT_TYPE },
        body: JSON.stringify({ op: 'events', client: new TestFile(0).client }),
      })
    const refused = await ask()
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '5'])
    await refused.text()
    first.close()
    for (let status = 429; status !== 200; ) {
      const answer = await ask()
      status = answer.status
      await answer.body?.cancel()
    }
  })
})

test('P177: Of more event streams of one client than the operator allows the oldest MUST end, and its newest begins', async () => {
  const store = await open({ eventStreams: { client: 2 } })
  const client = clientOf(store, B)
  const streams: TestEvents[] = []
  for (let i = 0; i < 3; i++) streams.push(await new TestEvents(store.endpoint, client.file.client).open())
  await streams[0]?.ended
  await client.claim(await client.upload(0, B))
  for (const stream of streams.slice(1)) {
    await stream.until((event) => event.type === 'verified')
    stream.close()
  }
})

test('a message is as long as the operator says', async () => {
  const store = await open({ messageBytes: 1000 })
  const client = clientOf(store, B)
  const headers = { 'Tus-Resumable': '1.0.0', 'Content-Type': OPERATION_CONTENT_TYPE }
  const answer = await client.send(store.endpoint, { method: 'POST', headers, body: ' '.repeat(1001) })
  expect([answer.status, JSON.parse(answer.text).error.code]).toEqual([413, 'message-too-large'])
})

test('blocks that are copied count as if they were sent, over a restart too: what is beyond is left to be sent', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'reconcile-copies-'))
  const limits = { unfinishedBytes: { client: 3 * B } }
  const file = new TestFile(8 * B)
  for (let index = 1; index < 8; index++) file.bytes.copy(file.bytes, index * B, 0, B)
  const blocks = file.leaves().map((leaf, index) => ({ start: index * B, leaf }))
  for (const isFirst of [true, false]) {
    const store = await open(limits, { directory })
    const client = new TestClient(store.endpoint, file, store.storeId)
    if (isFirst) await client.claim(await client.upload(0, B))
    expect((await client.ask('have', { blocks })).answer.attached).toEqual([{ start: 0, end: 3 * B }])
    const session = client.session(3 * B, 8 * B)
    expect((await client.claim(session)).answer.verified).toEqual([])
    expectTooMany(await client.post(session, file.bytes.subarray(3 * B)))
    if (!isFirst) await client.ask('terminate')
    const other = new TestClient(store.endpoint, Object.assign(new TestFile(B), { client: file.client }), store.storeId)
    if (!isFirst) await other.upload(0, B)
    await store.close()
  }
  await rm(directory, { recursive: true })
})

test('bytes that came and were not kept count no more', async () => {
  const store = await open({ unfinishedBytes: { client: 2 * B } })
  const client = clientOf(store, 2 * B)
  const first = client.session(0, B)
  await client.post(first, client.file.bytes.subarray(0, B - 1))
  first.attempt = 1
  const beyond = await client.patch(first, B - 1, client.file.bytes.subarray(B - 1, B + 1000))
  expect(beyond.headers.get('upload-offset')).toBe(String(B))
  const second = await client.post(client.session(B, 2 * B), client.file.bytes.subarray(B))
  expect([second.status, second.headers.get('upload-offset')]).toEqual([201, String(B)])
})

test('what proxies say of addresses counts only with respectForwardedHeaders', async () => {
  for (const respectForwardedHeaders of [false, true]) {
    const store = await open({ liveSessions: { address: 1 } }, { tus: { respectForwardedHeaders } })
    const statuses: number[] = []
    for (const address of ['198.51.100.1', '198.51.100.2', '198.51.100.2']) {
      const client = clientOf(store, B)
      const answer = await client.post(client.session(0, B), undefined, { 'X-Forwarded-For': `spoofed, ${address}` })
      statuses.push(answer.status)
    }
    expect(statuses).toEqual(respectForwardedHeaders ? [201, 201, 429] : [201, 429, 429])
  }
})

test('after a restart the limits hold for what was there', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'reconcile-limits-'))
  const before = await open({}, { directory })
  const file = new TestFile(2 * B)
  await new TestClient(before.endpoint, file, before.storeId).upload(0, B)
  await before.close()
  const limits = { openGroups: { client: 1 }, liveSessions: { client: 1 }, unfinishedBytes: { client: B } }
  const store = await open(limits, { directory })
  const client = new TestClient(store.endpoint, file, store.storeId)
  expectTooMany(await client.post(client.session(B, 2 * B)))
  const other = new TestClient(store.endpoint, Object.assign(new TestFile(B), { client: file.client }), store.storeId)
  expectTooMany(await other.post(other.session(0, B)))
  await client.ask('terminate')
  await other.upload(0, B)
  await store.close()
  await rm(directory, { recursive: true })
})

test('an address that makes up clients takes half of what a server has room for, and plain uploads only where it is said', () => {
  const limits = new Limits(resolveLimits({}))
  const admit = (address: string) => limits.admitSession({ client: newId(), group: newId(), address }, undefined)
  for (let group = 0; group < 5000; group++) admit('192.0.2.1')
  expect(() => admit('192.0.2.1')).toThrow(expect.objectContaining({ code: 'too-many' }))
  expect(() => admit('192.0.2.2')).not.toThrow()
  expect(limits.binds({ address: '192.0.2.1' })).toBe(false)
  const named = new Limits(resolveLimits({ openGroups: { address: 1 } }))
  named.admitUpload({ address: '192.0.2.1' })
  expect(() => named.admitUpload({ address: '192.0.2.1' })).toThrow(expect.objectContaining({ code: 'too-many' }))
})

test('a limit that is none is refused by name', async () => {
  const { server } = await open({})
  const wrong: [LimitOptions, RegExp][] = [
    [{ bodies: { client: 0 } }, /limits\.bodies\.client/],
    [{ openGroups: { address: 1.5 } }, /limits\.openGroups\.address/],
    [{ messageBytes: Number.NaN }, /limits\.messageBytes/],
    [JSON.parse('{"openGroup":{"client":1}}'), /limits\.openGroup is none: known are openGroups/],
    [JSON.parse('{"bodies":{"clients":1}}'), /limits\.bodies\.clients is none/],
  ]
  for (const [limits, expected] of wrong) expect(() => reconcile(server, { limits })).toThrow(expected)
  expect(() => reconcile(server, { bodyTimeoutMs: 0 })).toThrow(/bodyTimeoutMs/)
  expect(() => reconcile(server, { messageTimeoutMs: -1 })).toThrow(/messageTimeoutMs/)
  expect(() => reconcile(server, { maxAppendSize: 0.5 })).toThrow(/maxAppendSize/)
})
