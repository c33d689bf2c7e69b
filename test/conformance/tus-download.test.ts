import { randomFillSync } from 'node:crypto'
import { startReconcileServers, type TestServers } from 'reconcile-test-support/reconcile-servers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { rule } from './rules.js'
import { created } from './tus-client.js'
import { B, type Reply, send, WireClient, WireFile } from './wire-client.js'

let servers: TestServers
let endpoint = ''
/** Of a plain upload, and of one that was committed. */
let plain = ''
let committed = ''
const file = new WireFile(randomFillSync(Buffer.alloc(B + 1000)))
const { bytes } = file

beforeAll(async () => {
  servers = await startReconcileServers({ count: 1 })
  endpoint = servers.servers[0]?.direct ?? ''
  plain = await created(endpoint, { 'Upload-Length': bytes.length }, bytes)
  const home = (await send(endpoint, { method: 'OPTIONS' })).headers.get('store-id') ?? ''
  const client = new WireClient(endpoint, home, file)
  await client.claim(await client.upload(0, bytes.length))
  committed = String((await client.commit()).json.url)
})
afterAll(() => servers.close())

function get(url: string, headers: Record<string, string> = {}): Promise<Reply> {
  // undici adds cache headers of its own to conditional requests otherwise
  return send(url, { headers, cache: 'no-store' })
}
const header = (reply: Reply, name: string): string => reply.headers.get(name) ?? ''

rule(
  108,
  'GET of a file MUST carry `Last-Modified` and an `ETag`, which is strong and the Merkle root where the file was committed, weak otherwise',
  async () => {
    expect(header(await get(committed), 'etag')).toBe(`"${file.root}"`)
    expect(header(await get(plain), 'etag')).toMatch(/^W\/"[^"]+"$/)
    for (const url of [plain, committed]) {
      expect(Date.parse(header(await get(url), 'last-modified'))).toBeLessThanOrEqual(Date.now())
    }
  },
)

rule(
  109,
  'GET with an `If-None-Match` that names its `ETag`, or with no such header and an `If-Modified-Since` not before its `Last-Modified`, MUST be answered 304',
  async () => {
    for (const url of [plain, committed]) {
      const whole = await get(url)
      const etag = header(whole, 'etag')
      const date = header(whole, 'last-modified')
      const before = new Date(Date.parse(date) - 1000).toUTCString()
      const statuses: number[] = []
      for (const headers of [
        { 'If-None-Match': etag },
        { 'If-None-Match': `"x", ${etag}` },
        { 'If-None-Match': '*' },
        { 'If-Modified-Since': date },
        { 'If-Modified-Since': before },
        { 'If-None-Match': '"x"', 'If-Modified-Since': date },
        { 'If-Modified-Since': 'yesterday' },
      ]) {
        statuses.push((await get(url, headers)).status)
      }
      expect(statuses).toEqual([304, 304, 304, 304, 200, 200, 200])
      const known = await get(url, { 'If-None-Match': etag })
      expect([known.bytes.length, header(known, 'etag'), header(known, 'access-control-allow-origin')]).toEqual([
        0,
        etag,
        '*',
      ])
    }
  },
)

rule(
  110,
  'GET of a range with an `If-Range` that is neither the strong `ETag` nor the `Last-Modified` MUST be answered with the whole file',
  async () => {
    const range = { Range: 'bytes=10-19' }
    const etag = header(await get(committed), 'etag')
    const date = header(await get(plain), 'last-modified')
    expect((await get(committed, { ...range, 'If-Range': etag })).status).toBe(206)
    expect((await get(plain, { ...range, 'If-Range': date })).status).toBe(206)
    expect((await get(committed, { ...range, 'If-Range': '"other"' })).status).toBe(200)
    expect((await get(plain, { ...range, 'If-Range': header(await get(plain), 'etag') })).status).toBe(200)
  },
)

test.each([
  ['bytes=0-0', 0, 1],
  ['bytes=10-19', 10, 20],
  ['bytes=263000-', 263_000, bytes.length],
  ['bytes=-5', bytes.length - 5, bytes.length],
  ['bytes=5-99999999', 5, bytes.length],
])('Range %s of a file of 263,144 bytes', async (range, start, end) => {
  const reply = await get(plain, { Range: range })
  expect([reply.status, header(reply, 'content-range')]).toEqual([206, `bytes ${start}-${end - 1}/${bytes.length}`])
  expect(reply.bytes.equals(bytes.subarray(start, end))).toBe(true)
})

test('a range beyond the end is 416, what is no range of bytes gives the whole file', async () => {
  const beyond = await get(plain, { Range: `bytes=${bytes.length}-` })
  expect([beyond.status, header(beyond, 'content-range')]).toEqual([416, `bytes */${bytes.length}`])
  for (const range of ['bytes=5-4', 'lines=1-2', 'bytes=x']) {
    expect((await get(plain, { Range: range })).bytes.equals(bytes)).toBe(true)
  }
})

test('a browser of another origin may ask for all of that and read the answers, errors too', async () => {
  const preflight = await send(plain, { method: 'OPTIONS' })
  const allowed = header(preflight, 'access-control-allow-headers').toLowerCase()
  for (const name of ['range', 'if-range', 'if-none-match', 'if-modified-since', 'upload-checksum', 'upload-concat']) {
    expect(allowed).toContain(name)
  }
  expect(header(preflight, 'access-control-allow-methods')).toContain('GET')
  const exposed = header(await get(plain), 'access-control-expose-headers').toLowerCase()
  for (const name of ['etag', 'last-modified', 'content-range', 'accept-ranges']) expect(exposed).toContain(name)
  for (const reply of [await get(`${plain}x`), await get(plain, { Range: 'bytes=999999-' })]) {
    expect([reply.status >= 400, header(reply, 'access-control-allow-origin')]).toEqual([true, '*'])
  }
})
