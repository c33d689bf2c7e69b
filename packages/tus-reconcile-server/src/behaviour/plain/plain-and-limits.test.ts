import { randomFillSync } from 'node:crypto'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Upload as TusUpload } from 'tus-js-client'
import { BLOCK_SIZE, BODY_CONTENT_TYPE } from 'tus-reconcile-protocol'
import { afterEach, expect, test } from 'vitest'
import { reconcile } from '../../reconcile.js'
import { sha256, TestClient, TestFile } from '../../testing/client.js'
import { FullDisk } from '../../testing/full-disk.js'
import { startStore, type TestStore, type TestStoreOptions } from '../../testing/server.js'

const B = BLOCK_SIZE
const opened: TestStore[] = []
const directories: string[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()))
  await Promise.all(directories.splice(0).map((path) => rm(path, { recursive: true })))
})

async function open(options: TestStoreOptions = {}): Promise<TestStore> {
  const store = await startStore(options)
  opened.push(store)
  return store
}

function uploadPlainly(endpoint: string, bytes: Buffer, stopAt?: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const upload = new TusUpload(bytes, {
      endpoint,
      chunkSize: 300_000,
      retryDelays: [],
      metadata: { filename: 'plain.bin' },
      onError: reject,
      onSuccess: () => resolve(upload.url ?? ''),
      onChunkComplete: (_size, accepted) => {
        if (stopAt === undefined || accepted < stopAt) return
        stopAt = undefined
        void upload.abort().then(() => upload.start())
      },
    })
    upload.start()
  })
}

test('a plain tus client uploads, resumes, downloads and deletes as with FileStore', async () => {
  const finished: string[] = []
  const store = await open({
    tus: {
      onUploadFinish: async (_req, upload) => {
        finished.push(upload.id)
        return {}
      },
    },
  })
  const bytes = randomFillSync(Buffer.alloc(2_000_000))
  const url = await uploadPlainly(store.endpoint, bytes, 900_000)
  expect(sha256(new Uint8Array(await (await fetch(url)).arrayBuffer()))).toBe(sha256(bytes))
  expect(finished).toEqual([url.split('/').at(-1)])
  const answer = await fetch(url, { method: 'DELETE', headers: { 'Tus-Resumable': '1.0.0' } })
  expect(answer.status).toBe(204)
  const gone = await fetch(url)
  expect([gone.status, gone.headers.get('access-control-allow-origin')]).toEqual([404, '*'])
})

test('our own room in the directory is no upload', async () => {
  const store = await open({
    tus: { getFileIdFromRequest: (req) => decodeURIComponent(req.url.split('/files/')[1] ?? '') },
  })
  for (const id of ['.reconcile/records', '.reconcile%2Frecords', '..%2F..%2Fetc', '.reconcile']) {
    expect((await fetch(`${store.endpoint}/${id}`)).status).toBe(404)
  }
})

test('the hooks: one naming, one creation, one finish per file; the gate on everything of ours', async () => {
  const seen: string[] = []
  const store = await open({
    tus: {
      namingFunction: () => 'sub-folder-name',
      onIncomingRequest: async (req, id) => {
        seen.push(`${req.method} ${id}`)
        if (req.headers.get('x-user') === 'stranger') throw { status_code: 401, body: 'who are you' }
      },
      onUploadCreate: async (_req, upload) => {
        seen.push(`create ${upload.id} ${upload.size} ${upload.metadata?.filename}`)
        return { metadata: { ...upload.metadata, owner: 'me' } }
      },
      onUploadFinish: async (_req, upload) => {
        seen.push(`finish ${upload.id} ${upload.offset} ${upload.metadata?.owner} ${upload.storage?.path}`)
        return {}
      },
    },
  })
  const client = new TestClient(store.endpoint, new TestFile(2 * B), store.storeId)
  const [a, b] = await Promise.all([client.upload(0, B), client.upload(B, 2 * B)])
  await client.claim(a)
  await client.claim(b)
  const stranger = await client.send(a.url, {
    method: 'HEAD',
    headers: { 'Tus-Resumable': '1.0.0', 'X-User': 'stranger' },
  })
  expect([stranger.status, stranger.headers.get('access-control-allow-origin')]).toEqual([401, '*'])
  expect((await client.commit()).answer).toMatchObject({ url: `${store.endpoint}/sub-folder-name` })
  await client.commit()
  expect(seen.filter((line) => line.startsWith('create'))).toEqual([`create sub-folder-name ${2 * B} a.bin`])
  const path = join(store.directory, 'sub-folder-name')
  expect(seen.filter((line) => line.startsWith('finish'))).toEqual([`finish sub-folder-name ${2 * B} me ${path}`])
  expect(seen.filter((line) => line.endsWith(' sub-folder-name') && line.startsWith('POST')).length).toBe(6)
})

test('a finish hook that refuses is told each time, and runs once', async () => {
  let runs = 0
  const store = await open({
    tus: {
      onUploadFinish: async () => {
        runs++
        throw { status_code: 422, body: 'a virus' }
      },
    },
  })
  const client = new TestClient(store.endpoint, new TestFile(B), store.storeId)
  await client.claim(await client.upload(0, B))
  const commit = { op: 'commit', group: client.file.group, home: store.storeId, size: B } as const
  for (let i = 0; i < 2; i++) {
    const answer = await client.operate({ ...commit, root: await client.file.root() })
    expect([answer.status, JSON.parse(answer.text).error.message]).toEqual([422, 'a virus'])
  }
  expect(runs).toBe(1)
})

test('P6: the largest file binds all sessions together, and OPTIONS says it', async () => {
  const store = await open({ tus: { maxSize: 2 * B } })
  const options = await fetch(store.endpoint, { method: 'OPTIONS' })
  expect(options.headers.get('upload-limit')).toBe(`max-size=${2 * B}`)
  const big = new TestClient(store.endpoint, new TestFile(3 * B), store.storeId)
  const refused = await big.post(big.session(0, B), big.file.bytes.subarray(0, B))
  expect([refused.status, refused.headers.get('upload-limit')]).toEqual([413, `max-size=${2 * B}`])
  const client = new TestClient(store.endpoint, new TestFile(2 * B), store.storeId)
  const open_ = client.session(B, 2 * B)
  const { size: _size, ...unsized } = { ...open_, size: undefined }
  const header = client.header(open_)['Upload-Partition']?.replace(/, (size|end)=\d+/g, '') ?? ''
  await client.post(open_, undefined, { 'Upload-Partition': header })
  expect(unsized.id).toBe(open_.id)
  const beyond = await client.send(open_.url, {
    method: 'PATCH',
    headers: {
      'Tus-Resumable': '1.0.0',
      'Upload-Offset': '0',
      'Content-Type': 'application/offset+octet-stream',
    },
    body: Buffer.alloc(B + 1),
  })
  expect(beyond.status).toBe(413)
})

test.each(['ENOSPC', 'EDQUOT', 'EFBIG'])('a full disk (%s) is 507, and what arrived is kept', async (code) => {
  const directory = await mkdtemp(join(tmpdir(), 'reconcile-full-'))
  directories.push(directory)
  const backend = new FullDisk(join(directory, '.reconcile', 'groups'), 2 * B, code)
  const store = await open({ directory, store: { backend } })
  const client = new TestClient(store.endpoint, new TestFile(3 * B), store.storeId)
  const session = client.session(0, 3 * B)
  const refused = await client.post(session, client.file.bytes)
  expect([refused.status, JSON.parse(refused.text).error.code]).toEqual([507, 'no-space'])
  const kept = Number(refused.headers.get('upload-offset'))
  // but for the piece that did not fit: what is read ahead and one read of the socket
  expect(kept).toBeGreaterThan(B / 2)
  expect(kept).toBeLessThanOrEqual(2 * B)
  backend.mostBytes = 3 * B
  session.attempt = 1
  expect((await client.patch(session, kept, client.file.bytes.subarray(kept))).status).toBe(204)
  expect((await client.claim(session)).answer.verified).toEqual([{ start: 0, end: 3 * B }])
})

test('with less than minFreeBytes bodies are 507, what arrived is kept, and all goes on when there is room again', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'reconcile-full-'))
  directories.push(directory)
  const backend = new FullDisk(join(directory, '.reconcile', 'groups'), Number.POSITIVE_INFINITY)
  const store = await open({ directory, store: { backend, minFreeBytes: 1000 } })
  const client = new TestClient(store.endpoint, new TestFile(3 * B), store.storeId)
  const session = await client.upload(0, B)
  const plain = await fetch(store.endpoint, {
    method: 'POST',
    headers: { 'Tus-Resumable': '1.0.0', 'Upload-Length': '4' },
  })
  const appendPlainly = (): Promise<Response> =>
    fetch(plain.headers.get('location') ?? '', {
      method: 'PATCH',
      headers: { 'Tus-Resumable': '1.0.0', 'Upload-Offset': '0', 'Content-Type': BODY_CONTENT_TYPE },
      body: 'text',
    })
  backend.saysFree = 999
  await store.datastore.space.look()
  const other = client.session(B, 3 * B)
  const refused = await client.post(other, client.file.bytes.subarray(B))
  expect([refused.status, refused.headers.get('upload-offset')]).toEqual([507, '0'])
  expect(JSON.parse(refused.text).error.code).toBe('no-space')
  expect((await appendPlainly()).status).toBe(507)
  expect((await client.claim(session)).answer.verified).toEqual([{ start: 0, end: B }])
  backend.saysFree = 1000
  await store.datastore.space.look()
  other.attempt = 1
  expect((await client.patch(other, 0, client.file.bytes.subarray(B))).status).toBe(204)
  expect((await client.claim(other)).answer.verified).toEqual([{ start: B, end: 3 * B }])
  expect((await appendPlainly()).status).toBe(204)
})

test('what gets no byte expires: its data goes, a tombstone stays', async () => {
  const store = await open({ expireMs: 1 })
  const client = new TestClient(store.endpoint, new TestFile(2 * B), store.storeId)
  const session = await client.upload(0, B)
  const path = join(store.directory, '.reconcile', 'groups', `${client.file.group}.data`)
  expect((await stat(path)).size).toBe(B)
  while ((await store.extension.cleanUp()) === 0) await new Promise((resolve) => setImmediate(resolve))
  expect(await readdir(join(store.directory, '.reconcile', 'groups'))).toEqual([])
  const head = await client.head(session)
  expect([head.status, head.headers.get('reconcile-state')]).toEqual([410, 'expired'])
})

test('peers without a secret, a peer that is no URL and a short secret are refused by name', async () => {
  const { server } = await open()
  expect(() => reconcile(server, { peers: [{ endpoint: 'http://a/files' }] })).toThrow(/secret/)
  expect(() => reconcile(server, { peers: ['nowhere'], secrets: ['0123456789abcdef'] })).toThrow(/URL/)
  expect(() => reconcile(server, { secrets: ['short'] })).toThrow(/16/)
})

test('a length that a chunked PATCH declares cannot exceed the largest file', async () => {
  const store = await open({ tus: { maxSize: B } })
  const client = new TestClient(store.endpoint, new TestFile(4 * B), store.storeId)
  const session = client.session(0, 4 * B)
  const unsized = client.header(session)['Upload-Partition']?.replace(/, (size|end)=\d+/g, '') ?? ''
  expect((await client.post(session, undefined, { 'Upload-Partition': unsized })).status).toBe(201)
  const body = new ReadableStream({
    pull(controller) {
      controller.enqueue(new Uint8Array(client.file.bytes.subarray(0, 4 * B)))
      controller.close()
    },
  })
  const answer = await client.send(session.url, {
    method: 'PATCH',
    headers: {
      'Tus-Resumable': '1.0.0',
      'Upload-Offset': '0',
      'Upload-Length': String(4 * B),
      'Content-Type': 'application/offset+octet-stream',
    },
    body,
    // fetch wants to be told that the answer may come before the body's end
    ...{ duplex: 'half' },
  })
  expect([answer.status, answer.headers.get('upload-limit')]).toEqual([413, `max-size=${B}`])
  expect((await client.head(session)).headers.get('upload-offset')).toBe('0')
})

test('a refused PATCH changes nothing, not even the length that it declared', async () => {
  const store = await open()
  const client = new TestClient(store.endpoint, new TestFile(4 * B), store.storeId)
  const session = client.session(0, 4 * B)
  const open_ =
    client
      .header(session)
      ['Upload-Partition']?.replace(/, end=\d+/, '')
      .replace('attempt=0', 'attempt=5') ?? ''
  await client.post(session, undefined, { 'Upload-Partition': open_ })
  const late = await client.patch(session, 0, client.file.bytes.subarray(0, B), { 'Upload-Length': String(B) })
  expect(late.status).toBe(409)
  const offGrid = await client.patch(session, 0, client.file.bytes.subarray(0, 777), {
    'Upload-Length': '777',
    'Upload-Partition': open_,
  })
  expect(offGrid.status).toBe(400)
  expect((await client.head(session, { 'Tus-Resumable': '1.0.0' })).headers.get('upload-defer-length')).toBe('1')
})

test('a creation that says nothing of its length opens no group', async () => {
  const store = await open()
  const client = new TestClient(store.endpoint, new TestFile(B), store.storeId)
  const session = client.session(0, B)
  const headers = { ...client.header(session), 'Upload-Metadata': 'filename YQ==' }
  expect((await client.send(store.endpoint, { method: 'POST', headers })).status).toBe(400)
  const status = await client.operate({ op: 'status', group: client.file.group, home: store.storeId })
  expect(status.status).toBe(404)
})
