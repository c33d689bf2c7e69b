import { randomFillSync } from 'node:crypto'
import { startReconcileServers, type TestServers } from 'reconcile-test-support/reconcile-servers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { rule } from './rules.js'
import { checksumOf, created, offsetAt, patch, tus } from './tus-client.js'
import { B, BYTES, send, WireClient, WireFile } from './wire-client.js'

let servers: TestServers
let endpoint = ''
let home = ''
beforeAll(async () => {
  servers = await startReconcileServers({ count: 1 })
  endpoint = servers.servers[0]?.direct ?? ''
  home = (await send(endpoint, { method: 'OPTIONS' })).headers.get('store-id') ?? ''
})
afterAll(() => servers.close())

const bytes = randomFillSync(Buffer.alloc(1_500_000))
const other = randomFillSync(Buffer.alloc(1_500_000))
const client = () => new WireClient(endpoint, home, new WireFile(3 * B))

rule(100, '`Tus-Checksum-Algorithm` MUST list `sha1`, `sha256` and `sha512`', async () => {
  const { headers } = await send(endpoint, { method: 'OPTIONS' })
  expect(headers.get('tus-extension')?.split(',')).toContain('checksum')
  expect(headers.get('tus-checksum-algorithm')).toBe('sha1,sha256,sha512')
})

test.each(['sha1', 'sha256', 'sha512'])('a body with its %s is taken, in a creation and in a PATCH', async (name) => {
  const [first, rest] = [bytes.subarray(0, 700_000), bytes.subarray(700_000)]
  const facts = { 'Upload-Length': bytes.length, 'Upload-Checksum': checksumOf(name, first) }
  const url = await created(endpoint, facts, first)
  const reply = await patch(url, first.length, rest, { 'Upload-Checksum': checksumOf(name, rest) })
  expect([reply.status, reply.headers.get('upload-offset')]).toEqual([204, String(bytes.length)])
  expect((await send(url)).bytes.equals(bytes)).toBe(true)
})

rule(
  101,
  'An `Upload-Checksum` of another algorithm, or that is not base64 of a digest of its length, MUST be refused with 400',
  async () => {
    const url = await created(endpoint, { 'Upload-Length': bytes.length })
    const session = client()
    const known = session.session(0, B)
    await session.create(known)
    for (const text of ['md5 AAAA', 'sha1', 'sha256 AAAA', 'sha1 !', `${checksumOf('sha1', bytes)} x`, 'sha1  AAAA']) {
      const headers = { 'Upload-Checksum': text }
      expect((await patch(url, 0, bytes, headers)).status).toBe(400)
      expect((await tus('POST', endpoint, { ...headers, 'Upload-Length': 5 })).status).toBe(400)
      expect((await patch(known.url, 0, bytes.subarray(0, B), { ...session.headers(known), ...headers })).status).toBe(
        400,
      )
    }
    expect(await offsetAt(url)).toBe(0)
  },
)

rule(
  102,
  'A body that is not what its `Upload-Checksum` says MUST be refused with 460: nothing of it is kept, and the offset is what it was',
  async () => {
    const url = await created(endpoint, { 'Upload-Length': bytes.length }, bytes.subarray(0, 10))
    const wrong = { 'Upload-Checksum': checksumOf('sha256', other) }
    expect((await patch(url, 10, bytes.subarray(10), wrong)).status).toBe(460)
    expect(await offsetAt(url)).toBe(10)
    const right = { 'Upload-Checksum': checksumOf('sha256', bytes.subarray(10)) }
    expect((await patch(url, 10, bytes.subarray(10), right)).status).toBe(204)
    expect((await send(url)).bytes.equals(bytes)).toBe(true)

    const session = client()
    const { file } = session
    const known = session.session(0, 2 * B)
    const piece = file.bytes.subarray(0, B)
    const refused = await send(endpoint, {
      method: 'POST',
      headers: { ...session.headers(known), 'Upload-Defer-Length': '1', 'Content-Type': BYTES, ...wrong },
      body: piece,
    })
    expect([refused.status, refused.headers.get('upload-offset')]).toEqual([460, '0'])
    known.url = refused.headers.get('location') ?? ''
    expect((await session.ask('status')).json).toMatchObject({ stored: [], verified: [] })
    const sha1 = { 'Upload-Checksum': checksumOf('sha1', piece) }
    expect((await patch(known.url, 0, piece, { ...session.headers(known), ...sha1 })).status).toBe(204)
    const second = await patch(known.url, B, file.bytes.subarray(B, 2 * B), { ...session.headers(known), ...wrong })
    expect([second.status, second.headers.get('upload-offset')]).toEqual([460, String(B)])
    expect((await session.ask('status')).json).toMatchObject({ stored: [[0, B]] })
    await session.patch(known, B, file.bytes.subarray(B, 2 * B))
    await session.claim(known)
    await session.claim(await session.upload(2 * B, 3 * B))
    const commit = await session.commit()
    expect(commit.status).toBe(201)
    expect((await send(String(commit.json.url))).bytes.equals(file.bytes)).toBe(true)
  },
)

test('a length that a refused PATCH declares is not kept either', async () => {
  const url = await created(endpoint, { 'Upload-Defer-Length': 1 })
  const facts = { 'Upload-Length': bytes.length }
  const wrong = { 'Upload-Checksum': checksumOf('sha512', other) }
  expect((await patch(url, 0, bytes, { ...facts, ...wrong })).status).toBe(460)
  expect((await tus('HEAD', url)).headers.get('upload-defer-length')).toBe('1')
  const right = { 'Upload-Checksum': checksumOf('sha512', bytes) }
  expect((await patch(url, 0, bytes, { ...facts, ...right })).status).toBe(204)
  expect((await tus('HEAD', url)).headers.get('upload-length')).toBe(String(bytes.length))
})

test('an empty body has a checksum too', async () => {
  const url = await created(endpoint, { 'Upload-Length': 0, 'Upload-Checksum': checksumOf('sha1', Buffer.alloc(0)) })
  expect(await offsetAt(url)).toBe(0)
  const refused = await tus('POST', endpoint, { 'Upload-Length': 0, 'Upload-Checksum': checksumOf('sha1', bytes) })
  expect(refused.status).toBe(460)
})
