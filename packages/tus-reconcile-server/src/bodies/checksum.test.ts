import { createHash, randomFillSync } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { EVENTS, type Upload } from '@tus/utils'
import { BLOCK_SIZE, BODY_CONTENT_TYPE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { clientOf, testStores } from '../testing/stores.js'
import { SlowRequest } from '../testing/streams.js'

const B = BLOCK_SIZE
const TUS = { 'Tus-Resumable': '1.0.0' }
const { open } = testStores()

const sha1 = (bytes: Uint8Array): string => `sha1 ${createHash('sha1').update(bytes).digest('base64')}`
const bytes = randomFillSync(Buffer.alloc(1_000_000))

/** PATCH with the checksum of all of `bytes`, from offset 0. */
function beginPatch(url: string, session: Record<string, string> = TUS, whole = bytes): SlowRequest {
  return new SlowRequest('PATCH', url, {
    ...session,
    'Upload-Offset': 0,
    'Content-Type': BODY_CONTENT_TYPE,
    'Content-Length': whole.length,
    'Upload-Checksum': sha1(whole),
  })
}

test('while a body with a checksum comes in, a crash would leave the upload as it was and no file beside it', async () => {
  const store = await open({ tus: { postReceiveInterval: 1, lockDrainTimeout: 1 } })
  const arrived = new Promise<number>((resolve) => {
    store.server.on(EVENTS.POST_RECEIVE, (_stream: unknown, upload: Upload) => resolve(upload.offset))
  })
  const creation = await fetch(store.endpoint, {
    method: 'POST',
    headers: { ...TUS, 'Upload-Length': String(bytes.length) },
  })
  const url = creation.headers.get('location') ?? ''
  const path = join(store.directory, url.split('/').at(-1) ?? '')
  const slow = beginPatch(url)
  slow.write(bytes.subarray(0, 900_000))
  expect(await arrived).toBeGreaterThan(0)
  expect((await stat(path)).size).toBe(0)
  const names = () => readdir(join(store.directory, '.reconcile', 'arriving')).catch(() => ['not yet'])
  // its name goes as soon as it is open
  while ((await names()).length > 0) await new Promise((resolve) => setImmediate(resolve))
  slow.destroy()
  await slow.closed
  const head = await fetch(url, { method: 'HEAD', headers: TUS })
  expect(head.headers.get('upload-offset')).toBe('0')
  const whole = beginPatch(url)
  whole.write(bytes)
  whole.end()
  expect((await whole.answer).status).toBe(204)
  expect(bytes.equals(await readFile(path))).toBe(true)
})

test('a session whose body has a checksum and breaks off keeps nothing of it, and a newer attempt goes on', async () => {
  const store = await open()
  const client = clientOf(store, 4 * B)
  const session = client.session(0, 4 * B)
  await client.post(session)
  session.attempt = 1
  const slow = beginPatch(session.url, client.header(session), client.file.bytes)
  slow.write(client.file.bytes.subarray(0, 3 * B))
  const path = join(store.directory, '.reconcile', 'arriving')
  // the folder is made when the first bytes come
  while (!(await stat(path).catch(() => undefined))) await new Promise((resolve) => setImmediate(resolve))
  session.attempt = 2
  const head = await client.head(session)
  expect([head.status, head.headers.get('upload-offset')]).toEqual([200, '0'])
  const ended = await slow.answer
  expect([ended.status, ended.headers['upload-offset']]).toEqual([409, '0'])
  session.attempt = 3
  const whole = { 'Upload-Checksum': sha1(client.file.bytes) }
  expect((await client.patch(session, 0, client.file.bytes, whole)).status).toBe(204)
  expect((await client.claim(session)).answer.verified).toEqual([{ start: 0, end: 4 * B }])
})

test('a creation whose body is not what its checksum says leaves no upload behind', async () => {
  const store = await open()
  const answer = await fetch(store.endpoint, {
    method: 'POST',
    headers: {
      ...TUS,
      'Upload-Length': String(bytes.length),
      'Content-Type': BODY_CONTENT_TYPE,
      'Upload-Checksum': sha1(bytes.subarray(1)),
    },
    body: bytes,
  })
  expect([answer.status, answer.headers.get('location')]).toEqual([460, null])
  expect(await readdir(store.directory)).toEqual(['.reconcile'])
})
