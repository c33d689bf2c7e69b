import { mkdtemp, readdir, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BLOCK_SIZE, BODY_CONTENT_TYPE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { FullDisk } from '../../testing/full-disk.js'
import { clientOf, testStores } from '../../testing/stores.js'

const B = BLOCK_SIZE
const { open } = testStores()

test.each(['ENOSPC', 'EDQUOT', 'EFBIG'])('a full disk (%s) is 507, and what arrived is kept', async (code) => {
  const directory = await mkdtemp(join(tmpdir(), 'reconcile-full-'))
  const backend = new FullDisk(join(directory, '.reconcile', 'groups'), 2 * B, code)
  const store = await open({ directory, store: { backend } })
  const client = clientOf(store, 3 * B)
  const session = client.session(0, 3 * B)
  const refused = await client.post(session, client.file.bytes)
  expect([refused.status, JSON.parse(refused.text).error.code]).toEqual([507, 'no-space'])
  const kept = Number(refused.headers.get('upload-offset'))
  // but for the piece that did not fit: what is read ahead and one read of the socket
  expect(kept).toBeGreaterThan(B / 2)
  expect(kept).toBeLessThanOrEqual(2 * B)
  backend.mostBytes = 3 * B
  session.attempt = 1
  expect((await client.patch(session, kept, client.file.bytes.subarray(kept))).status).toBe(204)
  expect((await client.claim(session)).answer.verified).toEqual([{ start: 0, end: 3 * B }])
})

test('with less than minFreeBytes bodies are 507, what arrived is kept, and all goes on when there is room again', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'reconcile-full-'))
  const backend = new FullDisk(join(directory, '.reconcile', 'groups'), Number.POSITIVE_INFINITY)
  const store = await open({ directory, store: { backend, minFreeBytes: 1000 } })
  const client = clientOf(store, 3 * B)
  const session = await client.upload(0, B)
  const plain = await fetch(store.endpoint, {
    method: 'POST',
    headers: { 'Tus-Resumable': '1.0.0', 'Upload-Length': '4' },
  })
  const appendPlainly = (): Promise<Response> =>
    fetch(plain.headers.get('location') ?? '', {
      method: 'PATCH',
      headers: { 'Tus-Resumable': '1.0.0', 'Upload-Offset': '0', 'Content-Type': BODY_CONTENT_TYPE },
      body: 'text',
    })
  backend.saysFree = 999
  await store.datastore.space.look()
  const other = client.session(B, 3 * B)
  const refused = await client.post(other, client.file.bytes.subarray(B))
  expect([refused.status, refused.headers.get('upload-offset')]).toEqual([507, '0'])
  expect(JSON.parse(refused.text).error.code).toBe('no-space')
  expect((await appendPlainly()).status).toBe(507)
  expect((await client.claim(session)).answer.verified).toEqual([{ start: 0, end: B }])
  backend.saysFree = 1000
  await store.datastore.space.look()
  other.attempt = 1
  expect((await client.patch(other, 0, client.file.bytes.subarray(B))).status).toBe(204)
  expect((await client.claim(other)).answer.verified).toEqual([{ start: B, end: 3 * B }])
  expect((await appendPlainly()).status).toBe(204)
})

test('what gets no byte expires: its data goes, a tombstone stays', async () => {
  const store = await open({ expireMs: 1 })
  const client = clientOf(store, 2 * B)
  const session = await client.upload(0, B)
  const path = join(store.directory, '.reconcile', 'groups', `${client.file.group}.data`)
  expect((await stat(path)).size).toBe(B)
  while ((await store.extension.cleanUp()) === 0) await new Promise((resolve) => setImmediate(resolve))
  expect(await readdir(join(store.directory, '.reconcile', 'groups'))).toEqual([])
  const head = await client.head(session)
  expect([head.status, head.headers.get('reconcile-state')]).toEqual([410, 'expired'])
})
