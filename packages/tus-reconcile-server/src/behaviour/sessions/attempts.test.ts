import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { freshStore } from '../../testing/stores.js'

const B = BLOCK_SIZE
const BODY = 'application/offset+octet-stream'
const fresh = freshStore()

test('a session that was dropped before its creation arrived stays dropped', async () => {
  const client = fresh.clientOf(2 * B)
  await client.upload(0, B)
  const late = client.session(B, 2 * B)
  await client.ask('plan', { changes: [{ session: late.id, drop: true }] })
  const answer = await client.post(late, client.file.bytes.subarray(B))
  expect([answer.status, answer.headers.get('reconcile-state')]).toEqual([410, 'terminated'])
})

test('a creation whose answer was lost is looked up without a body, and refused with one', async () => {
  const client = fresh.clientOf(2 * B)
  const session = client.session(0, 2 * B)
  expect((await client.post(session, client.file.bytes.subarray(0, B + 7))).status).toBe(201)
  session.attempt = 1
  const lookUp = await client.post(session)
  expect([lookUp.status, lookUp.headers.get('upload-offset')]).toEqual([200, String(B + 7)])
  expect(lookUp.headers.get('location')).toBe(`${fresh.store.endpoint}/${client.file.group}.${session.id}`)
  session.attempt = 2
  const repeat = await client.post(session, client.file.bytes.subarray(0, B + 7))
  expect([repeat.status, repeat.headers.get('upload-offset')]).toEqual([409, String(B + 7)])
  expect(repeat.headers.get('location')).toBe(session.url)
  session.attempt = 3
  expect((await client.patch(session, B + 7, client.file.bytes.subarray(B + 7))).status).toBe(204)
})

test('attempts: a lower one is refused, the same waits, a higher one ends the running write and goes on', async () => {
  const client = fresh.clientOf(4 * B)
  const session = client.session(0, 4 * B)
  await client.post(session)
  session.attempt = 5
  const slow = await client.beginPatch(session, B + 100)
  const lower = await client.patch({ ...session, attempt: 4 }, B + 100, Buffer.alloc(1))
  expect(lower.status).toBe(409)
  const same = await client.head(session)
  expect([same.status, same.headers.get('retry-after')]).toEqual([423, '1'])
  const higher = await client.head({ ...session, attempt: 6 })
  expect([higher.status, higher.headers.get('upload-offset')]).toEqual([200, String(B + 100)])
  const replaced = await slow.answer
  expect(replaced.status).toBe(409)
  expect(JSON.parse(replaced.text).error.code).toBe('replaced')
  const rest = await client.patch({ ...session, attempt: 7 }, B + 100, client.file.bytes.subarray(B + 100))
  expect(rest.status).toBe(204)
  expect((await client.claim(session)).answer.verified).toEqual([{ start: 0, end: 4 * B }])
})

test('a plain resume without Upload-Partition ends the running write too', async () => {
  const client = fresh.clientOf(4 * B)
  const session = client.session(0, 4 * B)
  await client.post(session)
  const slow = await client.beginPatch(session, 100)
  const plain = { 'Tus-Resumable': '1.0.0' }
  const head = await client.head(session, plain)
  expect(head.headers.get('upload-offset')).toBe('100')
  expect(head.headers.get('upload-length')).toBe(String(4 * B))
  expect(head.headers.get('upload-concat')).toBe('partial')
  expect((await slow.answer).status).toBe(409)
  const patch = await client.send(session.url, {
    method: 'PATCH',
    headers: { ...plain, 'Upload-Offset': '100', 'Content-Type': BODY },
    body: client.file.bytes.subarray(100),
  })
  expect(patch.status).toBe(204)
})
