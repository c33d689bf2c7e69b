import { createHash } from 'node:crypto'
import { EVENTS, type ServerOptions } from '@tus/server'
import { BLOCK_SIZE, BODY_CONTENT_TYPE, OPERATION_CONTENT_TYPE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { newId, TestClient, TestFile } from '../../testing/client.js'
import type { TestStore } from '../../testing/server.js'
import { testStores } from '../../testing/stores.js'

// the options of @tus/server mean for sessions, operations and downloads what they mean for plain uploads

const B = BLOCK_SIZE
const TUS = { 'Tus-Resumable': '1.0.0' }
const BYTES = { 'Content-Type': BODY_CONTENT_TYPE }
const stores = testStores()
const open = (tus: Partial<ServerOptions>): Promise<TestStore> => stores.open({ tus })

const clientOf = (store: TestStore): TestClient => new TestClient(store.endpoint, new TestFile(B), store.storeId)

function request(method: string, url: string, headers: Record<string, string> = {}, body?: string): Promise<Response> {
  return fetch(url, { method, headers: { ...TUS, ...headers }, ...(body === undefined ? {} : { body }) })
}

/** A plain upload of three bytes, in one request. */
function uploadAbc(store: TestStore, headers: Record<string, string> = {}): Promise<Response> {
  return request('POST', store.endpoint, { ...BYTES, 'Upload-Length': '3', ...headers }, 'abc')
}

async function commit(client: TestClient): Promise<string> {
  await client.claim(await client.upload(0, B))
  const { answer } = await client.commit()
  if (answer.state !== 'committed') throw new Error(answer.state)
  return answer.url
}

const locationOf = (answer: { headers: Headers }): string => answer.headers.get('location') ?? ''

test('namingFunction, generateUrl and getFileIdFromRequest: names with folders, in every kind of URL', async () => {
  let count = 0
  const store = await open({
    namingFunction: () => `users/7/${++count}`,
    generateUrl: (_req, { proto, host, path, id }) =>
      `${proto}://${host}${path}/${Buffer.from(id, 'utf8').toString('base64url')}`,
    getFileIdFromRequest: (_req, last) => (last ? Buffer.from(last, 'base64url').toString('utf8') : undefined),
  })
  const plain = locationOf(await uploadAbc(store))
  const client = clientOf(store)
  const committed = await commit(client)
  const part = locationOf(await uploadAbc(store, { 'Upload-Concat': 'partial' }))
  const final = locationOf(await request('POST', store.endpoint, { 'Upload-Concat': `final;${part}` }))
  const ids = [plain, committed, final].map((url) => Buffer.from(url.split('/').at(-1) ?? '', 'base64url').toString())
  expect(ids).toEqual(['users/7/1', 'users/7/2', 'users/7/3'])
  expect(await (await fetch(plain)).text()).toBe('abc')
  expect(await (await fetch(final)).text()).toBe('abc')
  expect(await client.download(committed)).toBe(createHash('sha256').update(client.file.bytes).digest('hex'))
  for (const url of [plain, committed, final]) {
    expect((await request('HEAD', url)).status).toBe(200)
    expect((await request('DELETE', url)).status).toBe(204)
    expect((await fetch(url)).status).toBe(404)
  }
})

test('relativeLocation: plain uploads, parts, final uploads, sessions and files', async () => {
  const store = await open({ relativeLocation: true })
  const part = locationOf(await uploadAbc(store, { 'Upload-Concat': 'partial' }))
  const client = clientOf(store)
  const session = await client.post(client.session(0, B))
  const all = [
    locationOf(await uploadAbc(store)),
    part,
    locationOf(await request('POST', store.endpoint, { 'Upload-Concat': `final;${part}` })),
    locationOf(session),
    session.headers.get('reconcile-upload') ?? '',
  ]
  for (const location of all) expect(location).toMatch(/^\/files\/[\w.-]+$/)
})

test('respectForwardedHeaders: the address that clients know, for sessions and files too', async () => {
  const forwarded = { 'X-Forwarded-Host': 'up.example.com', 'X-Forwarded-Proto': 'https' }
  const known = 'https://up.example.com/files/'
  const store = await open({ respectForwardedHeaders: true })
  const client = clientOf(store)
  const session = await client.post(client.session(0, B), undefined, forwarded)
  const part = locationOf(await uploadAbc(store, { ...forwarded, 'Upload-Concat': 'partial' }))
  const final = await request('POST', store.endpoint, { ...forwarded, 'Upload-Concat': `final;${part}` })
  for (const url of [locationOf(await uploadAbc(store, forwarded)), locationOf(session), part, locationOf(final)]) {
    expect(url.startsWith(known)).toBe(true)
  }
  expect(session.headers.get('reconcile-upload')).toBe(`${known}${client.file.group}`)
  expect(locationOf(await uploadAbc(await open({}), forwarded))).toContain('127.0.0.1')
})

test('maxSize, as a number and as a function: lengths, deferred lengths and bodies of plain uploads', async () => {
  for (const maxSize of [2, async () => 2]) {
    const store = await open({ maxSize })
    expect((await request('OPTIONS', store.endpoint)).headers.get('tus-max-size')).toBe('2')
    expect((await request('POST', store.endpoint, { 'Upload-Length': '3' })).status).toBe(413)
    expect((await request('POST', store.endpoint, { ...BYTES, 'Upload-Defer-Length': '1' }, 'abc')).status).toBe(413)
    const url = locationOf(await request('POST', store.endpoint, { 'Upload-Defer-Length': '1' }))
    const patch = (headers: Record<string, string>, body: string) =>
      request('PATCH', url, { ...BYTES, 'Upload-Offset': '0', ...headers }, body)
    expect((await patch({}, 'abc')).status).toBe(413)
    expect((await patch({ 'Upload-Length': '3' }, 'ab')).status).toBe(413)
    expect((await patch({ 'Upload-Length': '2' }, 'ab')).status).toBe(204)
  }
})

test('a creation with bytes and a deferred length goes on, and ends when the length is told', async () => {
  const finished: string[] = []
  const store = await open({
    onUploadFinish: async (_req, upload) => {
      finished.push(`${upload.offset} of ${upload.size}`)
      return {}
    },
  })
  const creation = await request('POST', store.endpoint, { ...BYTES, 'Upload-Defer-Length': '1' }, 'abc')
  expect([creation.status, creation.headers.get('upload-offset')]).toEqual([201, '3'])
  const url = locationOf(creation)
  expect((await request('HEAD', url)).headers.get('upload-defer-length')).toBe('1')
  const end = { ...BYTES, 'Upload-Offset': '3', 'Upload-Length': '5' }
  expect((await request('PATCH', url, end, 'de')).status).toBe(204)
  // an empty PATCH of a whole upload finishes nothing again
  expect((await request('PATCH', url, { ...BYTES, 'Upload-Offset': '5' }, '')).status).toBe(204)
  expect(finished).toEqual(['5 of 5'])
  expect(await (await fetch(url)).text()).toBe('abcde')
})

test('expiration: Upload-Expires while an upload is unfinished, 410 after it, never for a finished one', async () => {
  const store = await stores.open({ expireMs: 600_000 })
  const creation = await request('POST', store.endpoint, { 'Upload-Length': '3' })
  const expires = Date.parse(creation.headers.get('upload-expires') ?? '')
  expect(Math.abs(expires - Date.now() - 600_000)).toBeLessThan(60_000)
  const patch = await request('PATCH', locationOf(creation), { ...BYTES, 'Upload-Offset': '0' }, 'ab')
  expect(Date.parse(patch.headers.get('upload-expires') ?? '')).toBe(expires)
  expect((await uploadAbc(store)).headers.get('upload-expires')).toBeNull()
  const brief = await stores.open({ expireMs: 1 })
  const url = locationOf(await request('POST', brief.endpoint, { 'Upload-Length': '3' }))
  const finished = locationOf(await uploadAbc(brief))
  while ((await request('HEAD', url)).status === 200) await new Promise((resolve) => setImmediate(resolve))
  expect((await request('HEAD', url)).status).toBe(410)
  expect((await request('PATCH', url, { ...BYTES, 'Upload-Offset': '0' }, 'abc')).status).toBe(410)
  await brief.extension.cleanUp()
  expect((await request('HEAD', url)).status).toBe(404)
  expect((await request('HEAD', finished)).status).toBe(200)
})

test('allowedOrigins, allowedCredentials, allowedHeaders, exposedHeaders: on every kind of answer', async () => {
  const store = await open({
    allowedOrigins: (origin) => origin === 'https://good.example',
    allowedCredentials: true,
    allowedHeaders: ['X-Tenant'],
    exposedHeaders: ['X-Receipt'],
  })
  const plain = locationOf(await uploadAbc(store))
  const client = clientOf(store)
  const session = await client.upload(0, B)
  const from = async (Origin: string): Promise<Response[]> => [
    await request('OPTIONS', store.endpoint, { Origin }),
    await request('HEAD', plain, { Origin }),
    await request('HEAD', `${plain}x`, { Origin }),
    await fetch(plain, { headers: { Origin } }),
    await fetch(`${plain}x`, { headers: { Origin } }),
    await request('HEAD', session.url, { Origin }),
    await request('PATCH', session.url, { Origin, ...BYTES, 'Upload-Offset': '7' }, 'x'),
    await request('POST', store.endpoint, { Origin, 'Content-Type': OPERATION_CONTENT_TYPE }, '{}'),
    await request('POST', store.endpoint, { Origin, 'Upload-Concat': 'final;nowhere' }),
    await request('POST', store.endpoint, { Origin, 'Upload-Length': '-1' }),
  ]
  for (const { headers, status } of await from('https://good.example')) {
    expect([status, headers.get('access-control-allow-origin')]).toEqual([status, 'https://good.example'])
    // but what @tus/server refuses before it looks at the URL (P217)
    if (status !== 400 || headers.has('x-request-id'))
      expect(headers.get('timing-allow-origin')).toBe('https://good.example')
    expect(headers.get('access-control-allow-credentials')).toBe('true')
    expect(headers.get('access-control-expose-headers')).toContain('X-Receipt')
    expect(headers.get('access-control-expose-headers')).toContain('Store-Id')
  }
  for (const { headers } of await from('https://evil.example')) {
    expect(headers.get('access-control-allow-origin')).toBeNull()
    expect(headers.get('timing-allow-origin')).toBeNull()
  }
  const [preflight] = await from('https://good.example')
  expect(preflight?.headers.get('access-control-allow-headers')).toMatch(/X-Tenant.*Upload-Partition/)
})

test('disableTerminationForFinishedUploads: plain, committed and final ones stay, unfinished ones go', async () => {
  const store = await open({ disableTerminationForFinishedUploads: true })
  const part = locationOf(await uploadAbc(store, { 'Upload-Concat': 'partial' }))
  const urls = [
    locationOf(await uploadAbc(store)),
    await commit(clientOf(store)),
    locationOf(await request('POST', store.endpoint, { 'Upload-Concat': `final;${part}` })),
  ]
  for (const url of urls) {
    expect((await request('DELETE', url)).status).toBe(400)
    expect((await fetch(url)).status).toBe(200)
  }
  const unfinished = locationOf(await request('POST', store.endpoint, { 'Upload-Length': '3' }))
  expect((await request('DELETE', unfinished)).status).toBe(204)
})

test('events: one POST_CREATE and one POST_FINISH per file, however it came; POST_RECEIVE of plain bytes', async () => {
  const store = await open({ postReceiveInterval: 1 })
  const seen: string[] = []
  for (const event of [EVENTS.POST_CREATE, EVENTS.POST_FINISH, EVENTS.POST_TERMINATE]) {
    store.server.on(event, () => seen.push(event))
  }
  const received = new Promise((resolve) => store.server.on(EVENTS.POST_RECEIVE, resolve))
  const plain = locationOf(await request('POST', store.endpoint, { 'Upload-Length': '3' }))
  const body = new ReadableStream({
    async start(controller) {
      controller.enqueue(Buffer.from('ab'))
      await received
      controller.enqueue(Buffer.from('c'))
      controller.close()
    },
  })
  const headers = { ...TUS, ...BYTES, 'Upload-Offset': '0' }
  // fetch wants to be told that the answer may come before the body's end
  await fetch(plain, { method: 'PATCH', headers, body, ...{ duplex: 'half' } })
  await request('DELETE', plain)
  expect(seen.splice(0)).toEqual(['POST_CREATE', 'POST_FINISH', 'POST_TERMINATE'])
  await request('DELETE', await commit(clientOf(store)))
  expect(seen).toEqual(['POST_CREATE', 'POST_FINISH', 'POST_TERMINATE'])
})

test('onResponseError: refusals of plain uploads, of sessions and of operations', async () => {
  const store = await open({
    onResponseError: (_req, error) => ({ status_code: 418, body: `mapped ${'status_code' in error}` }),
  })
  const client = clientOf(store)
  const session = await client.upload(0, B)
  const answers = [
    await request('POST', store.endpoint, { 'Upload-Length': '3', 'Upload-Checksum': 'md5 x' }),
    await request('PATCH', `${store.endpoint}/nowhere`, { ...BYTES, 'Upload-Offset': '0' }, 'x'),
    await request('PATCH', session.url, { ...BYTES, 'Upload-Offset': '7' }, 'x'),
    await request('POST', store.endpoint, { 'Content-Type': OPERATION_CONTENT_TYPE }, '{}'),
    await request('POST', store.endpoint, { 'Upload-Concat': 'final;nowhere' }),
  ]
  for (const answer of answers) expect([answer.status, await answer.text()]).toEqual([418, 'mapped true'])
})

test('onIncomingRequest lets nobody in anywhere: uploads, parts, sessions, every operation, the event stream', async () => {
  let isOpen = true
  const store = await open({
    onIncomingRequest: async () => {
      if (!isOpen) throw { status_code: 401, body: 'who are you' }
    },
  })
  const plain = locationOf(await request('POST', store.endpoint, { 'Upload-Length': '3' }))
  const whole = locationOf(await uploadAbc(store))
  const part = locationOf(await uploadAbc(store, { 'Upload-Concat': 'partial' }))
  const client = clientOf(store)
  const session = await client.upload(0, B)
  const { group } = client.file
  isOpen = false
  const operation = (members: object) => {
    const text = JSON.stringify({ group, home: store.storeId, client: newId(), ...members })
    return request('POST', store.endpoint, { 'Content-Type': OPERATION_CONTENT_TYPE }, text)
  }
  const claims = [{ session: session.id, start: 0, leaves: client.file.leaves() }]
  const root = await client.file.root()
  const other = client.session(0, B)
  const answers = [
    await uploadAbc(store),
    await uploadAbc(store, { 'Upload-Concat': 'partial' }),
    await request('POST', store.endpoint, { 'Upload-Concat': `final;${part}` }),
    await request('POST', store.endpoint, { 'Upload-Concat': `final;${session.url}` }),
    await fetch(whole),
    ...(await Promise.all([plain, part, whole, session.url].map((url) => request('HEAD', url)))),
    ...(await Promise.all([plain, part, session.url].map((url) => request('DELETE', url)))),
    ...(await Promise.all(
      [plain, part, session.url].map((url) => request('PATCH', url, { ...BYTES, 'Upload-Offset': '0' }, 'abc')),
    )),
    await client.post(other),
    await client.post(client.session(0, B), client.file.bytes),
    await operation({ op: 'status' }),
    await operation({ op: 'plan', changes: [{ session: session.id, drop: true }] }),
    await operation({ op: 'claim', claims }),
    await operation({ op: 'have', blocks: [{ start: 0, leaf: client.file.leaves()[0] }] }),
    await operation({ op: 'commit', size: B, root }),
    await operation({ op: 'terminate' }),
    await operation({ op: 'events' }),
    await request('HEAD', `${store.endpoint}/${group}`),
    await request('DELETE', `${store.endpoint}/${group}`),
  ]
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 401))
  for (const { headers } of answers) expect(headers.get('access-control-allow-origin')).toBe('*')
  isOpen = true
  expect((await client.claim(session)).answer.verified).toEqual([{ start: 0, end: B }])
  expect((await request('HEAD', part)).headers.get('upload-offset')).toBe('3')
})
