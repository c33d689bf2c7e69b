import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { sha256 } from '../../testing/client.js'
import { freshStore } from '../../testing/stores.js'
import { TestEvents } from '../../testing/streams.js'

const B = BLOCK_SIZE
const fresh = freshStore()

test('a file in two sessions is claimed, committed and served byte-identical', async () => {
  const client = fresh.clientOf(5 * B + 1234)
  const a = await client.upload(0, 3 * B)
  const b = await client.upload(3 * B, client.file.size)
  expect((await client.claim(a)).answer.verified).toEqual([{ start: 0, end: 3 * B }])
  expect((await client.claim(b)).answer.verified).toEqual([{ start: 3 * B, end: client.file.size }])
  const first = await client.commit()
  expect(first.status).toBe(201)
  const again = await client.commit()
  expect(again).toMatchObject({ status: 200, answer: first.answer })
  if (first.answer.state !== 'committed') throw new Error(first.answer.state)
  expect(await client.download(first.answer.url)).toBe(sha256(client.file.bytes))
  expect((await readdir(join(fresh.store.directory, '.reconcile', 'groups'))).length).toBe(0)
  expect((await stat(join(fresh.store.directory, client.file.group))).size).toBe(client.file.size)
  const part = await fetch(first.answer.url, { headers: { Range: 'bytes=10-19' } })
  expect(part.status).toBe(206)
  expect(Buffer.from(await part.arrayBuffer())).toEqual(client.file.bytes.subarray(10, 20))
  const head = await fetch(first.answer.url, { method: 'HEAD', headers: { 'Tus-Resumable': '1.0.0' } })
  expect(head.headers.get('upload-offset')).toBe(String(client.file.size))
  expect((await client.head(a)).status).toBe(410)
})

test('claims before the bytes verify each block as it arrives, and events say so', async () => {
  const client = fresh.clientOf(3 * B)
  const events = await new TestEvents(fresh.store.endpoint, client.file.client).open()
  const session = client.session(0, 3 * B)
  expect((await client.post(session)).status).toBe(201)
  expect((await client.claim(session)).answer.verified).toEqual([])
  const answer = await client.patch(session, 0, client.file.bytes)
  expect(answer.status).toBe(204)
  expect(answer.headers.get('upload-offset')).toBe(String(3 * B))
  await events.until((event) => event.type === 'offset' && event.offset === 3 * B)
  await events.until((event) => event.type === 'verified' && event.ranges.some((range) => range.end === 3 * B))
  const { answer: status } = await client.ask('status')
  expect(status.sessions[0]?.state).toBe('completed')
  expect(status.stored).toEqual([{ start: 0, end: 3 * B }])
  events.close()
})

test('a plan that lowers the end of a session in flight ends its body at once with 409 completed', async () => {
  const client = fresh.clientOf(64 * B)
  const session = client.session(0, 64 * B)
  await client.post(session)
  const slow = await client.beginPatch(session, 2 * B)
  const plan = await client.ask('plan', { changes: [{ session: session.id, end: B }] })
  expect(plan.answer.sessions).toEqual([{ session: session.id, end: 2 * B, offset: 2 * B, state: 'inProgress' }])
  const answer = await slow.answer
  expect(answer.status).toBe(409)
  expect(answer.headers['reconcile-state']).toBe('completed')
  expect(answer.headers['upload-offset']).toBe(String(2 * B))
  expect(answer.headers.connection).toBe('close')
  // nothing more comes: whoever closes is the server
  await slow.closed
})
