import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Server } from '@tus/server'
import { register } from 'prom-client'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { REFUSAL_CODES } from '../groups/refusal.js'
import { QueueLocker } from '../plain/queue-locker.js'
import { reconcile } from '../reconcile.js'
import { RangeStore } from '../store/range-store.js'
import { TestClient, TestFile } from '../testing/client.js'
import { startCluster } from '../testing/cluster.js'
import { freePort, type TestStore } from '../testing/server.js'
import { clientOf, testStores } from '../testing/stores.js'
import { SlowRequest, TestEvents } from '../testing/streams.js'

const B = BLOCK_SIZE
const { open, keep } = testStores()

/** The figures by name and labels, as a scraper reads them. */
async function figuresOf(store: TestStore): Promise<Map<string, number>> {
  const { contentType, text } = await store.extension.metrics()
  expect(contentType).toBe('text/plain; version=0.0.4; charset=utf-8')
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ')
      return [line.slice(0, at).replace('tus_reconcile_', ''), Number(line.slice(at + 1))]
    }),
  )
}

test('an upload is counted: its sessions, bytes, wrong blocks, refusals and requests', async () => {
  const store = await open()
  const client = clientOf(store, 3 * B)
  // the third block is the second once more, so that it need not be sent
  client.file.bytes.copyWithin(2 * B, B, 2 * B)
  const stream = await new TestEvents(store.endpoint, client.file.client).open()
  expect((await figuresOf(store)).get('event_streams')).toBe(1)
  const wrong = client.session(0, B, 'p0')
  await client.post(wrong, Buffer.alloc(B))
  await client.claim(wrong)
  await client.post(client.session(0, B, 'p0'))
  const right = await client.upload(0, 2 * B, 'p0')
  await client.claim(right)
  await stream.until((event) => event.type === 'superseded')
  await client.ask('have', { blocks: [{ start: 2 * B, leaf: client.file.leaves(B, 2 * B)[0] }] })
  expect((await figuresOf(store)).get('sessions{state="superseded"}')).toBe(1)
  expect((await client.commit()).status).toBe(201)
  stream.close()
  const figures = await figuresOf(store)
  expect(figures.get('uploads{state="committed"}')).toBe(1)
  expect(figures.get('uploads_ended_total{state="committed"}')).toBe(1)
  expect(figures.get('sessions_ended_total{state="superseded"}')).toBe(1)
  expect(figures.get('sessions_ended_total{state="completed"}')).toBe(2)
  expect(figures.get('digest_mismatches_total{of="claim"}')).toBe(1)
  expect(figures.get('received_bytes_total')).toBe(3 * B)
  expect(figures.get('dedup_saved_bytes_total')).toBe(B)
  expect(figures.get('request_seconds_count{kind="create"}')).toBe(3)
  expect(figures.get('request_seconds_count{kind="operation"}')).toBe(5)
  expect(figures.get('record_seconds_count')).toBe(3)
  expect(figures.get('bodies')).toBe(0)
  expect((await client.post(client.session(0, B), Buffer.alloc(B))).status).toBe(410)
  expect((await figuresOf(store)).get('refusals_total{code="group-ended"}')).toBe(1)
})

test('bytes that are not what was said of them are counted by what they are of', async () => {
  const store = await open()
  const client = new TestClient(store.endpoint, new TestFile(2 * B), store.storeId)
  const { bytes, group, size } = client.file
  const wrong = new Uint8Array(B)
  const right = client.session(0, B, 'p0')
  await client.post(right, bytes.subarray(0, 5))
  // the first has the block, so that the second's bytes are kept aside
  await client.post(client.session(0, B, 'p0'), wrong)
  await client.patch(right, 5, bytes.subarray(5, B))
  await client.claim(right)
  const checked = { 'Upload-Checksum': `sha1 ${Buffer.alloc(20).toString('base64')}` }
  expect((await client.post(client.session(B, 2 * B), wrong, checked)).status).toBe(460)
  await client.claim(await client.upload(B, 2 * B))
  const root = client.file.leaves()[0] ?? ''
  expect((await client.operate({ op: 'commit', group, home: store.storeId, size, root })).status).toBe(460)
  const figures = await figuresOf(store)
  const count = (of: string) => figures.get(`digest_mismatches_total{of="${of}"}`)
  expect(['claim', 'copy', 'peer', 'checksum', 'root'].map(count)).toEqual([0, 1, 0, 1, 1])
})

test('labels hold fixed values only, whatever clients call their things', async () => {
  const store = await open()
  const before = [...(await figuresOf(store)).keys()]
  const client = clientOf(store, B)
  await client.upload(0, B, 'a-partition')
  await fetch(`${store.endpoint}/no-such-upload`)
  await client.post({ ...client.session(0, B), id: 'no-such-session' })
  const names = [...(await figuresOf(store)).keys()]
  const { group } = client.file
  for (const secret of [group, client.file.client, 'a-partition', 'no-such-upload', 'a.bin']) {
    expect(names.filter((name) => name.includes(secret))).toEqual([])
  }
  const labels = new Set(names.flatMap((name) => /\{(.*)\}/.exec(name)?.[1]?.match(/\w+(?==)/g) ?? []))
  expect([...labels].sort()).toEqual(['code', 'kind', 'le', 'of', 'state'])
  expect(names).toEqual(before)
})

test('plain uploads are counted by what they come to, with their bodies and bytes, cut ones too', async () => {
  const store = await open({ reconcile: { bodyTimeoutMs: 60_000 } })
  const tus = { 'Tus-Resumable': '1.0.0' }
  const create = async (size: number, bytes: Uint8Array<ArrayBuffer> = new Uint8Array()) => {
    const type = bytes.length > 0 ? { 'Content-Type': 'application/offset+octet-stream' } : {}
    const headers = { ...tus, ...type, 'Upload-Length': String(size) }
    const answer = await fetch(store.endpoint, { method: 'POST', headers, body: bytes })
    expect(answer.status).toBe(201)
    return answer.headers.get('location') ?? ''
  }
  await create(0)
  const empty = { ...tus, 'Upload-Length': '0', 'Content-Type': 'application/offset+octet-stream' }
  expect((await fetch(store.endpoint, { method: 'POST', headers: empty })).status).toBe(201)
  await create(5, Buffer.from('whole'))
  const removed = await create(5)
  expect((await fetch(removed, { method: 'DELETE', headers: tus })).status).toBe(204)
  const cut = new SlowRequest('PATCH', await create(10), {
    ...tus,
    'Upload-Offset': 0,
    'Content-Type': 'application/offset+octet-stream',
    'Content-Length': 10,
  })
  cut.write(Buffer.from('cut'))
  await expect.poll(async () => (await figuresOf(store)).get('plain_received_bytes_total')).toBe(8)
  expect((await figuresOf(store)).get('plain_bodies')).toBe(1)
  cut.destroy()
  await expect.poll(async () => (await figuresOf(store)).get('plain_bodies')).toBe(0)
  const figures = await figuresOf(store)
  const uploads = (state: string) => figures.get(`plain_uploads_total{state="${state}"}`)
  expect(['created', 'finished', 'removed', 'expired'].map(uploads)).toEqual([5, 3, 1, 0])
  expect(figures.get('plain_write_seconds_count')).toBe(2)
  expect(figures.get('received_bytes_total')).toBe(0)
})

test('a plain upload that expires is counted so, and not as removed', async () => {
  const store = await open({ expireMs: 1 })
  const headers = { 'Tus-Resumable': '1.0.0', 'Upload-Length': '5' }
  expect((await fetch(store.endpoint, { method: 'POST', headers })).status).toBe(201)
  await expect.poll(() => store.extension.cleanUp()).toBe(1)
  const figures = await figuresOf(store)
  expect(figures.get('plain_uploads_total{state="expired"}')).toBe(1)
  expect(figures.get('plain_uploads_total{state="removed"}')).toBe(0)
})

test('every code of a refusal is there before its first time', async () => {
  const figures = await figuresOf(await open())
  const codes = REFUSAL_CODES.map((code) => figures.get(`refusals_total{code="${code}"}`))
  expect(new Set(codes)).toEqual(new Set([0]))
})

test('what is fetched from a peer is counted where it arrives', async () => {
  const [home, mirror] = await startCluster(2)
  if (!home || !mirror) throw new Error('no cluster')
  keep(home, mirror)
  const client = new TestClient(mirror.endpoint, new TestFile(2 * B + 5), home.storeId)
  const session = await client.upload(0, client.file.size)
  await client.ask('claim', {
    store: mirror.storeId,
    claims: [{ session: session.id, start: 0, leaves: client.file.leaves() }],
  })
  while ((await client.commit()).status === 202);
  expect((await figuresOf(home)).get('pulled_bytes_total')).toBe(2 * B + 5)
  expect((await figuresOf(mirror)).get('pulled_bytes_total')).toBe(0)
})

test('peers are counted by how they are found, and one that refuses our signature is in the log', async () => {
  const [one, other] = await startCluster(2)
  if (!one || !other) throw new Error('no cluster')
  const peers = [one.endpoint, `http://127.0.0.1:${await freePort()}/files`]
  const stranger = await open({ reconcile: { peers, secrets: ['another-secret-0123456789'] } })
  keep(one, other)
  const statesOf = async (store: TestStore) => {
    const figures = await figuresOf(store)
    return ['reachable', 'unknown', 'failing', 'refusing'].map((state) => figures.get(`peers{state="${state}"}`))
  }
  await expect.poll(() => statesOf(one)).toEqual([1, 0, 0, 0])
  const entry = await stranger.logged(({ msg }) => msg === 'peer refuses our signature')
  expect(entry).toMatchObject({ level: 40, peer: one.endpoint, reason: expect.stringContaining('secret') })
  await expect.poll(() => statesOf(stranger)).toEqual([0, 0, 1, 1])
})

test('each server has figures of its own, and none in the global registry', async () => {
  const [one, other] = await Promise.all([open(), open()])
  await clientOf(one, B).upload(0, B)
  expect((await figuresOf(one)).get('uploads{state="open"}')).toBe(1)
  expect((await figuresOf(other)).get('uploads{state="open"}')).toBe(0)
  expect(register.getMetricsAsArray()).toEqual([])
})

test('a wait for a plain upload that another holds is told with its time', async () => {
  const waits: number[] = []
  const locker = new QueueLocker((seconds) => waits.push(seconds))
  const { signal } = new AbortController()
  const first = locker.newLock('upload')
  await first.lock(signal, () => {})
  const second = locker.newLock('upload').lock(signal, () => {})
  expect(waits).toEqual([])
  await first.unlock()
  await second
  expect(waits.length).toBe(1)
})

test('health: ready with the store, then draining', async () => {
  const store = await open()
  expect(store.extension.health()).toEqual({ state: 'ready', storeId: store.storeId })
  await store.extension.drain()
  expect(store.extension.health()).toEqual({ state: 'draining', storeId: store.storeId })
})

test('health: starting until the records are loaded, failed where they cannot be', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'reconcile-health-'))
  await mkdir(join(directory, '.reconcile'))
  await writeFile(join(directory, '.reconcile', 'store-id'), 'no store id')
  const server = new Server({ path: '/files', datastore: new RangeStore({ directory }) })
  const extension = reconcile(server)
  expect(extension.health()).toEqual({ state: 'starting' })
  await expect(extension.ready).rejects.toThrow()
  expect(extension.health()).toEqual({ state: 'failed' })
  await extension.close()
  await rm(directory, { recursive: true })
})
