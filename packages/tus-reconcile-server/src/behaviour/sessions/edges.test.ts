import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { BLOCK_SIZE, OPERATION_CONTENT_TYPE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { newId, sha256, TestFile } from '../../testing/client.js'
import { freshStore } from '../../testing/stores.js'

const B = BLOCK_SIZE
const fresh = freshStore()

test("of two overlapping sessions of which one is corrupt the other one's copy of a bad block takes its place", async () => {
  const client = fresh.clientOf(6 * B)
  const { file } = client
  const corrupt = client.session(0, 4 * B)
  const wrong = Buffer.from(file.bytes.subarray(0, 4 * B))
  wrong[2 * B + 5] = (wrong[2 * B + 5] ?? 0) ^ 1
  await client.post(corrupt, wrong)
  const good = client.session(2 * B, 6 * B)
  expect((await client.post(good, file.bytes.subarray(2 * B))).headers.get('upload-offset')).toBe(String(4 * B))
  const claim = await client.claim(corrupt)
  expect(claim.answer).toMatchObject({ bad: [], verified: [{ start: 0, end: 4 * B }] })
  await client.claim(good)
  const done = await client.commit()
  expect(done.status).toBe(201)
  if (done.answer.state !== 'committed') throw new Error('not committed')
  expect(await client.download(done.answer.url)).toBe(sha256(file.bytes))
})

test('a corrupt block of which nobody has another copy is freed and sent again', async () => {
  const client = fresh.clientOf(3 * B)
  const { file } = client
  const corrupt = client.session(0, 3 * B)
  const wrong = Buffer.from(file.bytes)
  wrong[B + 5] = (wrong[B + 5] ?? 0) ^ 1
  await client.post(corrupt, wrong)
  const missing = [{ start: B, end: 2 * B }]
  expect((await client.claim(corrupt)).answer.bad).toEqual(missing)
  const early = await client.commit()
  expect(early).toMatchObject({ status: 409, answer: { state: 'incomplete', missing, bad: missing } })
  await client.claim(await client.upload(B, 2 * B, 'again'))
  const done = await client.commit()
  if (done.answer.state !== 'committed') throw new Error('not committed')
  expect(await client.download(done.answer.url)).toBe(sha256(file.bytes))
})

test('another leaf for a verified block is a conflict', async () => {
  const client = fresh.clientOf(2 * B)
  const session = await client.upload(0, 2 * B)
  await client.claim(session)
  const other = await client.ask('claim', {
    claims: [{ session: session.id, start: B, leaves: [client.file.leaves(0, B)[0]] }],
  })
  expect(other).toMatchObject({ status: 409, answer: { conflict: [{ start: B, end: 2 * B }] } })
})

test('a dropped session in flight is answered 410 at once, and its whole blocks stay', async () => {
  const client = fresh.clientOf(32 * B)
  const session = client.session(0, 32 * B)
  await client.post(session)
  const slow = await client.beginPatch(session, 2 * B + 10)
  const plan = await client.ask('plan', { changes: [{ session: session.id, drop: true, reason: 'superseded' }] })
  expect(plan.answer.sessions[0]).toMatchObject({ state: 'superseded', offset: 2 * B + 10 })
  const answer = await slow.answer
  expect(answer).toMatchObject({ status: 410, headers: { 'reconcile-state': 'superseded', connection: 'close' } })
  // nothing more comes: whoever closes is the server
  await slow.closed
  expect((await client.ask('status')).answer.stored).toEqual([{ start: 0, end: 2 * B }])
  const head = await client.head(session)
  expect([head.status, head.headers.get('reconcile-state')]).toEqual([410, 'superseded'])
  const again = await client.post(session, client.file.bytes)
  expect([again.status, again.headers.get('reconcile-state')]).toEqual([410, 'superseded'])
})

test('a body that goes on regardless is cut soon after its refusal', async () => {
  const client = fresh.clientOf(400 * B)
  const session = client.session(0, 400 * B)
  await client.post(session)
  const slow = await client.beginPatch(session, B)
  let sent = B
  const feeding = setInterval(() => {
    slow.write(Buffer.alloc(64 * 1024))
    sent += 64 * 1024
  }, 5)
  await client.ask('plan', { changes: [{ session: session.id, drop: true, reason: 'superseded' }] })
  expect((await slow.answer).status).toBe(410)
  await slow.closed
  clearInterval(feeding)
  // half a second has room for a hundred of these pieces, however fast the machine is
  expect(sent).toBeLessThan(100 * B)
})

test('what is sent beyond the planned end is not taken; beyond the file it is 413', async () => {
  const client = fresh.clientOf(4 * B)
  const session = client.session(0, 2 * B)
  const answer = await client.post(session, client.file.bytes.subarray(0, 3 * B))
  expect([answer.status, answer.headers.get('reconcile-state')]).toEqual([409, 'completed'])
  expect(answer.headers.get('upload-offset')).toBe(String(2 * B))
  const last = client.session(3 * B, 4 * B)
  await client.post(last)
  expect((await client.patch(last, 0, Buffer.alloc(B + 1))).status).toBe(413)
})

test('facts that contradict the group are 400', async () => {
  const client = fresh.clientOf(4 * B)
  await client.upload(0, B)
  const other = client.session(B, 2 * B)
  expect((await client.post(other, undefined, client.header(other, { size: 5 * B }))).status).toBe(400)
  expect((await client.post(other, undefined, client.header(other, { home: newId() }))).status).toBe(400)
  const size = await client.operate({
    op: 'commit',
    group: client.file.group,
    home: fresh.store.storeId,
    size: B,
    root: await client.file.root(),
  })
  expect(size.status).toBe(400)
})

test('a root of another file is 460, and the group stays open', async () => {
  const client = fresh.clientOf(B)
  await client.claim(await client.upload(0, B))
  const wrong = await client.operate({
    op: 'commit',
    group: client.file.group,
    home: fresh.store.storeId,
    size: B,
    root: await new TestFile(B).root(),
  })
  expect([wrong.status, JSON.parse(wrong.text).error.code]).toEqual([460, 'root-mismatch'])
  expect((await client.commit()).status).toBe(201)
})

test('an empty file and a file of one odd byte are committed too', async () => {
  for (const size of [0, 1]) {
    const client = fresh.clientOf(size)
    const session = await client.upload(0, size)
    if (size > 0) await client.claim(session)
    const done = await client.commit()
    expect(done.status).toBe(201)
    if (done.answer.state !== 'committed') throw new Error('not committed')
    expect(await client.download(done.answer.url)).toBe(sha256(client.file.bytes))
  }
})

test('bad operations say what is wrong', async () => {
  const client = fresh.clientOf(B)
  const send = async (body: string) => {
    const headers = { 'Tus-Resumable': '1.0.0', 'Content-Type': OPERATION_CONTENT_TYPE }
    const answer = await client.send(fresh.store.endpoint, { method: 'POST', headers, body })
    expect(answer.headers.get('access-control-allow-origin')).toBe('*')
    expect(answer.headers.get('access-control-expose-headers')).toContain('Reconcile-State')
    return [answer.status, JSON.parse(answer.text).error.code]
  }
  expect(await send('{')).toEqual([400, 'bad-request'])
  expect(await send('{"op":"status","group":"x"}')).toEqual([400, 'bad-request'])
  const unknown = { op: 'status', group: newId(), home: fresh.store.storeId }
  expect(await send(JSON.stringify(unknown))).toEqual([404, 'unknown-group'])
  expect(await send(JSON.stringify({ ...unknown, home: newId() }))).toEqual([404, 'unknown-store'])
  expect(await send(' '.repeat(1_048_577))).toEqual([413, 'message-too-large'])
})

test('a missing session, a wrong offset and a wrong header have their statuses', async () => {
  const client = fresh.clientOf(2 * B)
  const session = await client.upload(0, B)
  const nowhere = { ...session, id: newId(), url: `${fresh.store.endpoint}/${client.file.group}.${newId()}` }
  expect((await client.head(nowhere, { 'Tus-Resumable': '1.0.0' })).status).toBe(404)
  expect((await client.patch({ ...session, attempt: 9 }, 5, Buffer.alloc(1))).status).toBe(409)
  const odd = client.session(0, B)
  const header = client.header(odd)['Upload-Partition'] ?? ''
  const answer = await client.post(odd, undefined, { 'Upload-Partition': header.replace('start=0', 'start=77') })
  expect(answer.status).toBe(400)
  expect(JSON.parse(answer.text).error.message).toContain('start')
})

test('DELETE of a session keeps its blocks; DELETE of the file ends the group', async () => {
  const client = fresh.clientOf(2 * B)
  const session = await client.upload(0, B)
  const plain = { 'Tus-Resumable': '1.0.0' }
  const other = client.session(B, 2 * B)
  await client.post(other)
  expect((await client.send(other.url, { method: 'DELETE', headers: plain })).status).toBe(204)
  expect((await client.send(other.url, { method: 'DELETE', headers: plain })).status).toBe(410)
  expect((await client.ask('status')).answer.stored).toEqual([{ start: 0, end: B }])
  const file = `${fresh.store.endpoint}/${client.file.group}`
  const head = await client.send(file, { method: 'HEAD', headers: plain })
  expect([head.status, head.headers.get('upload-offset')]).toEqual([200, '0'])
  expect((await client.send(file, { method: 'DELETE', headers: plain })).status).toBe(204)
  expect((await client.head(session)).headers.get('reconcile-state')).toBe('terminated')
  expect(await readdir(join(fresh.store.directory, '.reconcile', 'groups'))).toEqual([])
  expect((await client.ask('status')).answer.state).toBe('terminated')
})

test('OPTIONS announces what works, with CORS', async () => {
  const answer = await fetch(fresh.store.endpoint, { method: 'OPTIONS' })
  expect(answer.status).toBe(204)
  expect(answer.headers.get('tus-extension')).toBe(
    'creation,creation-with-upload,creation-defer-length,termination,expiration,concatenation,checksum,reconcile-1',
  )
  expect(answer.headers.get('store-id')).toBe(fresh.store.storeId)
  expect(answer.headers.get('reconcile-block-size')).toBe(String(B))
  expect(answer.headers.get('access-control-max-age')).toBe('7200')
  expect(answer.headers.get('access-control-allow-headers')).toContain('Upload-Partition')
})
