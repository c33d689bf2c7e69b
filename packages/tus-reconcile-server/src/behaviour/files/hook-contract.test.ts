import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { EVENTS, type ServerOptions } from '@tus/server'
import { BLOCK_SIZE, BODY_CONTENT_TYPE, formatPartitionHeader } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import type { Answer, TestClient, TestSession } from '../../testing/client.js'
import type { TestStore } from '../../testing/server.js'
import { clientOf, testStores } from '../../testing/stores.js'

const B = BLOCK_SIZE
const TUS = { 'Tus-Resumable': '1.0.0' }
const stores = testStores()
const open = (tus: Partial<ServerOptions>): Promise<TestStore> => stores.open({ tus })

/** A creation that says neither where its session ends nor how large the file is, unless `size` is given. */
function createOpen(client: TestClient, session: TestSession, size?: number): Promise<Answer> {
  const { id, partition, attempt, start } = session
  const { group, client: name } = client.file
  const known = { group, partition, session: id, attempt, client: name, start, home: client.home }
  const header = formatPartitionHeader(size === undefined ? known : { ...known, size })
  return client.post(session, undefined, { 'Upload-Partition': header })
}

/** All that is left of `body` from `offset` on, by a client that knows nothing of partitions. */
function append(session: TestSession, offset: number, body: Uint8Array<ArrayBuffer>): Promise<Response> {
  const headers = { ...TUS, 'Content-Type': BODY_CONTENT_TYPE, 'Upload-Offset': String(offset) }
  return fetch(session.url, { method: 'PATCH', headers, body })
}

async function filesOf(store: TestStore): Promise<string[]> {
  const groups = await readdir(join(store.directory, '.reconcile', 'groups')).catch(() => [])
  return [...groups, ...(await readdir(store.directory)).filter((name) => name !== '.reconcile')]
}

test('onUploadCreate runs once for sessions that come together, before any of their bytes is kept', async () => {
  let runs = 0
  let kept: string[] | undefined
  const store = await open({
    onUploadCreate: async () => {
      runs++
      kept = await filesOf(store)
      return {}
    },
  })
  const client = clientOf(store, 8 * B)
  const starts = Array.from({ length: 8 }, (_, i) => i * B)
  await Promise.all(starts.map((start) => client.upload(start, start + B)))
  expect([runs, kept]).toEqual([1, []])
})

test('a file that onUploadCreate refuses leaves nothing, whichever of its sessions asks', async () => {
  const store = await open({
    onUploadCreate: async () => {
      throw { status_code: 403, body: 'not you' }
    },
  })
  const client = clientOf(store, 4 * B)
  const answers = await Promise.all(
    [0, B, 2 * B, 3 * B].map((start) =>
      client.post(client.session(start, start + B), client.file.bytes.subarray(start, start + B)),
    ),
  )
  for (const answer of answers) {
    expect([answer.status, JSON.parse(answer.text).error]).toEqual([
      403,
      { code: 'refused-by-hook', message: 'not you' },
    ])
  }
  expect(await filesOf(store)).toEqual([])
  const status = await client.operate({ op: 'status', group: client.file.group, home: client.home })
  expect(status.status).toBe(404)
})

test('maxSize binds sessions of open length together: no byte beyond it, wherever they start', async () => {
  const store = await open({ maxSize: 2 * B + 10 })
  const client = clientOf(store, 4 * B)
  const first = client.session(0, 4 * B)
  const last = client.session(2 * B, 4 * B)
  expect((await createOpen(client, first)).status).toBe(201)
  expect((await createOpen(client, last)).status).toBe(201)
  expect((await createOpen(client, client.session(3 * B, 4 * B))).status).toBe(413)
  expect((await append(first, 0, client.file.bytes.subarray(0, 2 * B + 11))).status).toBe(413)
  expect((await append(last, 0, client.file.bytes.subarray(0, 11))).status).toBe(413)
  expect((await append(last, 0, client.file.bytes.subarray(0, 10))).status).toBe(204)
  expect((await append(last, 10, client.file.bytes.subarray(0, 1))).status).toBe(413)
  const larger = { op: 'commit', group: client.file.group, home: client.home, size: 3 * B } as const
  expect((await client.operate({ ...larger, root: await client.file.root() })).status).toBe(413)
})

test('the first size that is named binds all sessions, those of open length too', async () => {
  const store = await open({})
  const client = clientOf(store, 4 * B)
  const sized = client.session(0, 4 * B)
  const open_ = client.session(B, 4 * B)
  expect((await createOpen(client, open_)).status).toBe(201)
  expect((await append(open_, 0, client.file.bytes.subarray(0, 5))).status).toBe(204)
  // a size that leaves out what has come
  expect((await createOpen(client, client.session(0, 4 * B), B)).status).toBe(400)
  expect((await createOpen(client, sized, 2 * B)).status).toBe(201)
  expect((await createOpen(client, client.session(0, 4 * B), 3 * B)).status).toBe(400)
  expect((await append(open_, 5, client.file.bytes.subarray(0, B))).status).toBe(413)
  expect((await append(sized, 0, client.file.bytes.subarray(0, 2 * B + 1))).status).toBe(413)
  const wide = { 'Upload-Length': String(3 * B), 'Upload-Offset': '0', 'Content-Type': BODY_CONTENT_TYPE }
  expect((await client.send(sized.url, { method: 'PATCH', headers: { ...TUS, ...wide }, body: '' })).status).toBe(413)
})

test('DELETE of a file that is not whole is told to POST_TERMINATE once', async () => {
  const store = await open({})
  const ended: unknown[] = []
  store.server.on(EVENTS.POST_TERMINATE, (_req: unknown, _res: unknown, id: unknown) => ended.push(id))
  const client = clientOf(store, 2 * B)
  await client.upload(0, B)
  const url = `${store.endpoint}/${client.file.group}`
  const statuses = [
    await fetch(url, { method: 'DELETE', headers: TUS }),
    await fetch(url, { method: 'DELETE', headers: TUS }),
  ]
  expect(statuses.map(({ status }) => status)).toEqual([204, 410])
  expect(ended).toEqual([client.file.group])
})

test('a refusal of the gate says nothing of the session, whether there is one or not', async () => {
  const asked: string[] = []
  let isShut = false
  const store = await open({
    onIncomingRequest: async (_req, id) => {
      asked.push(id)
      if (isShut) throw { status_code: 401, body: 'who are you' }
    },
  })
  const client = clientOf(store, 2 * B)
  const session = client.session(0, 2 * B)
  await client.post(session, client.file.bytes.subarray(0, 5))
  const unknown = client.session(B, 2 * B)
  const stranger = clientOf(store, B).session(0, B)
  const url = session.url
  isShut = true
  for (const target of [
    url,
    url.replace(session.id, unknown.id),
    url.replace(/[^/]*$/, `${stranger.id}.${stranger.id}`),
  ]) {
    for (const method of ['HEAD', 'PATCH', 'DELETE']) {
      asked.length = 0
      const body = method === 'PATCH' ? { body: 'x' } : {}
      const headers = { ...TUS, 'Content-Type': BODY_CONTENT_TYPE, 'Upload-Offset': '5' }
      const refused = await fetch(target, { method, headers, ...body })
      expect([refused.status, asked.length]).toEqual([401, 1])
      for (const name of ['Location', 'Upload-Offset', 'Reconcile-State', 'Reconcile-Upload', 'Upload-Expires']) {
        expect(refused.headers.get(name)).toBeNull()
      }
    }
  }
  isShut = false
  expect((await client.head(session)).headers.get('upload-offset')).toBe('5')
})

test('the hooks: one naming, one creation, one finish per file; the gate on everything of ours', async () => {
  const seen: string[] = []
  const store = await open({
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
  })
  const client = clientOf(store, 2 * B)
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
  // in the hook's own words, as @tus/server's refusals are: a page may show them
  const download = await fetch(`${store.endpoint}/sub-folder-name`, { headers: { 'X-User': 'stranger' } })
  expect([download.status, await download.text()]).toEqual([401, 'who are you\n'])
  expect(download.headers.get('access-control-allow-origin')).toBe('*')
  expect(seen.filter((line) => line.startsWith('create'))).toEqual([`create sub-folder-name ${2 * B} a.bin`])
  const path = join(store.directory, 'sub-folder-name')
  expect(seen.filter((line) => line.startsWith('finish'))).toEqual([`finish sub-folder-name ${2 * B} me ${path}`])
  expect(seen.filter((line) => line.endsWith(' sub-folder-name') && line.startsWith('POST')).length).toBe(6)
})

test('a finish hook that refuses is told each time, and runs once', async () => {
  let runs = 0
  const store = await open({
    onUploadFinish: async () => {
      runs++
      throw { status_code: 422, body: 'a virus' }
    },
  })
  const client = clientOf(store, B)
  await client.claim(await client.upload(0, B))
  const commit = { op: 'commit', group: client.file.group, home: store.storeId, size: B } as const
  for (let i = 0; i < 2; i++) {
    const answer = await client.operate({ ...commit, root: await client.file.root() })
    expect([answer.status, JSON.parse(answer.text).error.message]).toEqual([422, 'a virus'])
  }
  expect(runs).toBe(1)
})
