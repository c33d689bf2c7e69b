import { randomFillSync } from 'node:crypto'
import { startReconcileServers, type TestServers } from 'reconcile-test-support/reconcile-servers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { rule } from './rules.js'
import { created, offsetAt, patch, tus } from './tus-client.js'
import { B, BYTES, send, WireClient, WireFile } from './wire-client.js'

// tus 1.0 for a client that knows nothing of ours

let servers: TestServers
let endpoint = ''
beforeAll(async () => {
  servers = await startReconcileServers({ count: 1 })
  endpoint = servers.servers[0]?.direct ?? ''
})
afterAll(() => servers.close())

const bytes = randomFillSync(Buffer.alloc(300_000))

test.each([
  ['no length at all', {}],
  ['a length and a deferred one', { 'Upload-Length': 5, 'Upload-Defer-Length': 1 }],
  ['a deferred length that is not 1', { 'Upload-Defer-Length': 2 }],
  ['a negative length', { 'Upload-Length': -1 }],
  ['a length that is no number', { 'Upload-Length': 'many' }],
  ['metadata that is no base64', { 'Upload-Length': 5, 'Upload-Metadata': 'filename #' }],
  ['metadata with a key twice', { 'Upload-Length': 5, 'Upload-Metadata': 'a YQ==,a YQ==' }],
  ['an Upload-Concat that is neither', { 'Upload-Length': 5, 'Upload-Concat': 'whole' }],
])('a creation with %s is 400', async (_what, headers) => {
  expect((await tus('POST', endpoint, headers)).status).toBe(400)
})

test('an upload comes in a creation and PATCHes, each at the offset that HEAD says', async () => {
  const url = await created(endpoint, { 'Upload-Length': bytes.length, 'Upload-Metadata': 'filename YQ==,empty' })
  const { headers } = await tus('HEAD', url)
  expect([headers.get('upload-length'), headers.get('upload-offset')]).toEqual([String(bytes.length), '0'])
  expect([headers.get('upload-metadata'), headers.get('cache-control')]).toEqual(['filename YQ==,empty', 'no-store'])
  for (let at = 0; at < bytes.length; at += 100_000) {
    const reply = await patch(url, at, bytes.subarray(at, at + 100_000))
    expect([reply.status, reply.headers.get('upload-offset')]).toEqual([204, String(at + 100_000)])
  }
  expect((await send(url)).bytes.equals(bytes)).toBe(true)
})

test('a PATCH that does not fit changes nothing', async () => {
  const url = await created(endpoint, { 'Upload-Length': 10 }, bytes.subarray(0, 4))
  const statuses = [
    (await patch(url, 0, bytes.subarray(0, 1))).status,
    (await patch(url, 5, bytes.subarray(0, 1))).status,
    (await patch(url, 4, bytes.subarray(0, 7))).status,
    (await patch(url, 4, bytes.subarray(0, 1), { 'Upload-Length': 10 })).status,
    (await tus('PATCH', url, { 'Upload-Offset': 4, 'Content-Type': 'text/plain' }, bytes.subarray(0, 1))).status,
    (await tus('PATCH', url, { 'Content-Type': BYTES }, bytes.subarray(0, 1))).status,
  ]
  expect(statuses).toEqual([409, 409, 413, 400, 400, 403])
  expect(await offsetAt(url)).toBe(4)
})

test('an upload without bytes is whole at its creation', async () => {
  const url = await created(endpoint, { 'Upload-Length': 0 })
  const reply = await send(url)
  expect([reply.status, reply.bytes.length]).toEqual([200, 0])
})

test('what is not known, or was ended, is 404 to everybody', async () => {
  const url = await created(endpoint, { 'Upload-Length': 3 }, bytes.subarray(0, 3))
  expect((await tus('DELETE', url)).status).toBe(204)
  for (const gone of [url, `${endpoint}/nowhere`, `${endpoint}/..%2Fnowhere`]) {
    const statuses = [
      await tus('HEAD', gone),
      await patch(gone, 0, bytes.subarray(0, 1)),
      await tus('DELETE', gone),
      await send(gone),
    ]
    expect(statuses.map(({ status }) => status)).toEqual([404, 404, 404, 404])
  }
})

test('a creation whose body is longer than its length leaves no upload, and says no URL', async () => {
  const headers = { 'Upload-Length': 3, 'Content-Type': BYTES }
  const reply = await tus('POST', endpoint, headers, bytes.subarray(0, 4))
  expect([reply.status, reply.headers.get('location')]).toEqual([413, null])
})

rule(
  120,
  'A request but OPTIONS and GET whose `Tus-Resumable` is absent or another MUST be answered 412 with `Tus-Version: 1.0.0`, and not processed',
  async () => {
    const url = await created(endpoint, { 'Upload-Length': 3 })
    const facts = { 'Upload-Offset': '0', 'Content-Type': BYTES, Origin: 'https://app.example' }
    for (const version of [{}, { 'Tus-Resumable': '0.2.2' }, { 'Tus-Resumable': '2' }]) {
      for (const method of ['PATCH', 'HEAD', 'DELETE', 'POST']) {
        const body = method === 'PATCH' ? { body: Buffer.from('abc') } : {}
        const reply = await send(url, { method, headers: { ...facts, ...version }, ...body })
        expect([method, reply.status, reply.headers.get('tus-version')]).toEqual([method, 412, '1.0.0'])
        expect(reply.headers.get('access-control-allow-origin')).toBe('*')
        expect(reply.headers.get('access-control-expose-headers')).toContain('Tus-Version')
      }
    }
    expect(await offsetAt(url)).toBe(0)
    expect((await tus('HEAD', url)).headers.get('tus-version')).toBeNull()
  },
)

const asPost = (method: string, url: string, headers: Record<string, string> = {}, body?: Uint8Array<ArrayBuffer>) =>
  tus('POST', url, { 'X-HTTP-Method-Override': method, ...headers }, body)

rule(
  121,
  'A POST with `X-HTTP-Method-Override` MUST be taken for a request of that method (GET, HEAD, POST, PATCH, DELETE, OPTIONS), and be refused with 400 where it names another',
  async () => {
    const made = await asPost('POST', endpoint, { 'Upload-Length': '300000' })
    const url = made.headers.get('location') ?? ''
    const wrong = await asPost('PATCH', url, { 'Content-Type': 'text/plain', 'Upload-Offset': '0' }, bytes)
    const reply = await asPost('PATCH', url, { 'Content-Type': BYTES, 'Upload-Offset': '0' }, bytes)
    expect([made.status, wrong.status, reply.status]).toEqual([201, 400, 204])
    const head = await asPost('HEAD', url)
    expect([head.status, head.headers.get('upload-offset'), head.bytes.length]).toEqual([200, '300000', 0])
    expect((await asPost('GET', url)).bytes.equals(bytes)).toBe(true)
    const options = await send(endpoint, { method: 'POST', headers: { 'X-HTTP-Method-Override': 'OPTIONS' } })
    expect([options.status, options.headers.get('tus-version')]).toEqual([204, '1.0.0'])
    expect(options.headers.get('access-control-allow-headers')).toContain('X-HTTP-Method-Override')
    for (const method of ['PUT', 'patch', 'PATCH, PATCH', 'constructor']) {
      const refused = await asPost(method, endpoint, { 'Upload-Length': '3' })
      expect([refused.status, refused.headers.get('location')]).toEqual([400, null])
      expect(JSON.parse(refused.bytes.toString()).error.code).toBe('bad-request')
    }
    const other = await tus('HEAD', url, { 'X-HTTP-Method-Override': 'DELETE' })
    const unversioned = await send(url, { method: 'POST', headers: { 'X-HTTP-Method-Override': 'DELETE' } })
    expect([other.status, unversioned.status]).toEqual([200, 412])
    expect([(await asPost('DELETE', url)).status, (await tus('HEAD', url)).status]).toEqual([204, 404])
  },
)

test('a session takes its bytes and its end in POSTs that stand for PATCH and DELETE', async () => {
  const home = (await send(endpoint, { method: 'OPTIONS' })).headers.get('store-id') ?? ''
  const client = new WireClient(endpoint, home, new WireFile(B))
  const session = client.session(0, B)
  await client.create(session)
  const facts = { 'Content-Type': BYTES, 'Upload-Offset': '0', ...client.headers(session) }
  expect((await asPost('PATCH', session.url, facts, client.file.bytes)).status).toBe(204)
  expect((await asPost('HEAD', session.url)).headers.get('upload-offset')).toBe(String(B))
  expect((await asPost('DELETE', session.url)).status).toBe(204)
})
