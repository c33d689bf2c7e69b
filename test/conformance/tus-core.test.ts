import { randomFillSync } from 'node:crypto'
import { startReconcileServers, type TestServers } from 'reconcile-test-support/reconcile-servers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { created, offsetAt, patch, tus } from './tus-client.js'
import { BYTES, send } from './wire-client.js'

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
