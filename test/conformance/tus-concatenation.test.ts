import { randomFillSync } from 'node:crypto'
import { startReconcileServers, type TestServers } from 'reconcile-test-support/reconcile-servers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { rule } from './rules.js'
import { checksumOf, created, patch, tus } from './tus-client.js'
import { B, type Reply, send, WireClient, WireFile } from './wire-client.js'

let servers: TestServers
let endpoint = ''
beforeAll(async () => {
  servers = await startReconcileServers({ count: 1 })
  endpoint = servers.servers[0]?.direct ?? ''
})
afterAll(() => servers.close())

const bytes = randomFillSync(Buffer.alloc(900_000))

function partial(from: number, to: number): Promise<string> {
  return created(endpoint, { 'Upload-Concat': 'partial', 'Upload-Length': to - from }, bytes.subarray(from, to))
}

function final(...urls: string[]): Promise<Reply> {
  return tus('POST', endpoint, { 'Upload-Concat': `final;${urls.join(' ')}`, 'Upload-Metadata': 'filename YS5iaW4=' })
}

const pathOf = (url: string): string => new URL(url).pathname

rule(
  103,
  '`Upload-Concat: final` MUST make one upload of the bytes of finished partial uploads of this server, in the order of their URLs, absolute or relative',
  async () => {
    expect((await send(endpoint, { method: 'OPTIONS' })).headers.get('tus-extension')?.split(',')).toContain(
      'concatenation',
    )
    const parts = [await partial(0, 300_000), await partial(300_000, 300_000), await partial(300_000, 900_000)]
    const reply = await final(parts[0] ?? '', pathOf(parts[1] ?? ''), pathOf(parts[2] ?? ''))
    expect(reply.status).toBe(201)
    const url = reply.headers.get('location') ?? ''
    expect((await send(url)).bytes.equals(bytes)).toBe(true)
  },
)

rule(
  104,
  'HEAD of a partial upload MUST say `Upload-Concat: partial`, HEAD of a final one what it was created with, and its own metadata only',
  async () => {
    const part = await partial(0, 900_000)
    const unfinished = await created(endpoint, { 'Upload-Concat': 'partial', 'Upload-Defer-Length': 1 })
    for (const url of [part, unfinished]) {
      expect((await tus('HEAD', url)).headers.get('upload-concat')).toBe('partial')
    }
    const url = (await final(part)).headers.get('location') ?? ''
    const { headers } = await tus('HEAD', url)
    expect(headers.get('upload-concat')).toBe(`final;${part}`)
    expect([headers.get('upload-length'), headers.get('upload-offset')]).toEqual(['900000', '900000'])
    expect(headers.get('upload-metadata')).toBe('filename YS5iaW4=')
    const plain = await tus('HEAD', await created(endpoint, { 'Upload-Length': 1 }))
    expect(plain.headers.get('upload-concat')).toBeNull()
  },
)

rule(105, 'PATCH of a final upload MUST be refused with 403', async () => {
  const url = (await final(await partial(0, 900_000))).headers.get('location') ?? ''
  for (const offset of [0, 900_000]) expect((await patch(url, offset, Buffer.from('x'))).status).toBe(403)
  expect((await send(url)).bytes.equals(bytes)).toBe(true)
})

rule(
  106,
  'A final upload MUST be refused with 409 where a part is not finished, 404 where one is not known, and 400 where a URL is not of a partial upload of this server, or comes twice',
  async () => {
    const part = await partial(0, 900_000)
    const unfinished = await created(endpoint, { 'Upload-Concat': 'partial', 'Upload-Length': 5 })
    const whole = await created(endpoint, { 'Upload-Length': 3 }, bytes.subarray(0, 3))
    const foreign = part.replace('127.0.0.1', 'elsewhere.example')
    const unknown = part.replace(/[^/]+$/, `${'A'.repeat(22)}.partial`)
    const statuses: number[] = []
    for (const urls of [[part, unfinished], [part, unknown], [part, whole], [foreign], [part, part], [''], ['/files/']])
      statuses.push((await final(...urls)).status)
    expect(statuses).toEqual([409, 404, 400, 400, 400, 400, 400])
    expect((await tus('POST', endpoint, { 'Upload-Concat': `final;${part}`, 'Upload-Length': 900_000 })).status).toBe(
      400,
    )
    expect((await final(part)).status).toBe(201)
  },
)

rule(
  107,
  'A repeat of a creation of a final upload MUST be answered 201 with the same `Location`; the parts end with the first',
  async () => {
    const parts = [await partial(0, 10), await partial(10, 900_000)]
    const first = await final(...parts)
    const again = await final(...parts)
    expect([again.status, again.headers.get('location')]).toEqual([201, first.headers.get('location')])
    expect((await tus('HEAD', parts[0] ?? '')).status).toBe(404)
  },
)

test('a part may come in PATCHes, with a length that is told late and with checksums', async () => {
  const url = await created(endpoint, { 'Upload-Concat': 'partial', 'Upload-Defer-Length': 1 })
  expect((await patch(url, 0, bytes.subarray(0, 100))).status).toBe(204)
  const rest = bytes.subarray(100)
  const wrong = await patch(url, 100, rest, { 'Upload-Checksum': checksumOf('sha1', bytes) })
  expect(wrong.status).toBe(460)
  const facts = { 'Upload-Length': bytes.length, 'Upload-Checksum': checksumOf('sha1', rest) }
  expect((await patch(url, 100, rest, facts)).status).toBe(204)
  const reply = await final(url)
  expect((await send(reply.headers.get('location') ?? '')).bytes.equals(bytes)).toBe(true)
})

test('a part can be deleted, and is then not known', async () => {
  const url = await partial(0, 10)
  expect((await tus('DELETE', url)).status).toBe(204)
  expect((await final(url)).status).toBe(404)
})

test('no client can pretend that its upload is a final one', async () => {
  const metadata = `tus-upload-concat ${Buffer.from('final;x').toString('base64')}`
  const facts = { 'Upload-Length': 1, 'Upload-Metadata': `filename YQ==,${metadata}` }
  expect((await tus('POST', endpoint, facts)).status).toBe(400)
  expect((await tus('POST', endpoint, { ...facts, 'Upload-Concat': 'partial' })).status).toBe(400)
  const home = (await send(endpoint, { method: 'OPTIONS' })).headers.get('store-id') ?? ''
  const client = new WireClient(endpoint, home, new WireFile(B))
  const headers = { ...client.headers(client.session(0, B)), 'Upload-Defer-Length': '1', 'Upload-Metadata': metadata }
  expect((await send(endpoint, { method: 'POST', headers })).status).toBe(400)
})

rule(
  111,
  '`Upload-Concat: final` of sessions that cover one file in their order MUST be the same as its `commit`, and 409 until all of it is verified',
  async () => {
    const home = (await send(endpoint, { method: 'OPTIONS' })).headers.get('store-id') ?? ''
    const client = new WireClient(endpoint, home, new WireFile(2 * B + 5))
    const first = await client.upload(0, B)
    const second = client.session(B, 2 * B + 5)
    await client.create(second, client.file.bytes.subarray(B, B + 5))
    expect((await final(first.url, second.url)).status).toBe(409)
    expect((await client.patch(second, 5, client.file.bytes.subarray(B + 5))).status).toBe(204)
    expect((await final(first.url, second.url)).status).toBe(409)
    await client.claim(first)
    await client.claim(second)
    expect((await final(second.url, first.url)).status).toBe(400)
    expect((await final(first.url, await partial(0, 5))).status).toBe(400)
    const made = await final(first.url, pathOf(second.url))
    const url = made.headers.get('location') ?? ''
    expect([made.status, (await final(first.url, second.url)).headers.get('location')]).toEqual([201, url])
    expect(await client.commit()).toMatchObject({ status: 200, json: { url } })
    expect((await send(url)).bytes.equals(client.file.bytes)).toBe(true)
    expect((await tus('HEAD', url)).headers.get('upload-concat')).toBe(`final;${first.url} ${pathOf(second.url)}`)
    expect((await patch(url, 2 * B + 5, Buffer.from('x'))).status).toBe(403)
  },
)
