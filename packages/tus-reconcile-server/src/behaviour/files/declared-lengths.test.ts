import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { clientOf, testStores } from '../../testing/stores.js'

const B = BLOCK_SIZE
const { open } = testStores()

test('P6: the largest file binds all sessions together, and OPTIONS says it', async () => {
  const store = await open({ tus: { maxSize: 2 * B } })
  const options = await fetch(store.endpoint, { method: 'OPTIONS' })
  expect(options.headers.get('upload-limit')).toBe(`max-size=${2 * B}`)
  const big = clientOf(store, 3 * B)
  const refused = await big.post(big.session(0, B), big.file.bytes.subarray(0, B))
  expect([refused.status, refused.headers.get('upload-limit')]).toEqual([413, `max-size=${2 * B}`])
  const client = clientOf(store, 2 * B)
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

test('a length that a chunked PATCH declares cannot exceed the largest file', async () => {
  const store = await open({ tus: { maxSize: B } })
  const client = clientOf(store, 4 * B)
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
  const client = clientOf(store, 4 * B)
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
  const client = clientOf(store, B)
  const session = client.session(0, B)
  const headers = { ...client.header(session), 'Upload-Metadata': 'filename YQ==' }
  expect((await client.send(store.endpoint, { method: 'POST', headers })).status).toBe(400)
  const status = await client.operate({ op: 'status', group: client.file.group, home: store.storeId })
  expect(status.status).toBe(404)
})
