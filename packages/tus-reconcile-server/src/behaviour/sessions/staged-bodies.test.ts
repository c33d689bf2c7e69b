import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BLOCK_SIZE, BODY_CONTENT_TYPE } from 'tus-reconcile-protocol'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { ReconcileOptions } from '../../reconcile-options.js'
import { TestFile } from '../../testing/client.js'
import { FullDisk } from '../../testing/full-disk.js'
import { RawRequest } from '../../testing/raw-request.js'
import { startStore, type TestStore, type TestStoreOptions } from '../../testing/server.js'
import { testStores } from '../../testing/stores.js'
import { type Target, UPLOAD_KINDS } from '../../testing/uploads.js'

const B = BLOCK_SIZE
const TIMEOUT_MS = 400
const MANY_CHUNKS = 16
const stores = testStores()

function checksumOf(bytes: Uint8Array): Record<string, string> {
  return { 'Upload-Checksum': `sha256 ${createHash('sha256').update(bytes).digest('base64')}` }
}

function patch(target: Target, bytes: Uint8Array<ArrayBuffer>): Promise<Response> {
  const headers = {
    ...target.headers(),
    ...checksumOf(bytes),
    'Upload-Offset': '0',
    'Content-Type': BODY_CONTENT_TYPE,
  }
  return fetch(target.url, { method: 'PATCH', headers, body: bytes })
}

function begin(target: Target, bytes: Uint8Array, more: Record<string, string | number>): RawRequest {
  const headers = { ...target.headers(), ...checksumOf(bytes), ...more }
  return new RawRequest(target.url, 'PATCH', { ...headers, 'Upload-Offset': 0, 'Content-Type': BODY_CONTENT_TYPE })
}

/** On a disk that says what is free. */
async function openOnDisk(options: ReconcileOptions = {}): Promise<{ store: TestStore; disk: FullDisk }> {
  const directory = await mkdtemp(join(tmpdir(), 'reconcile-staged-'))
  const disk = new FullDisk(join(directory, '.reconcile', 'groups'), Number.POSITIVE_INFINITY)
  const store = await startStore({ directory, reconcile: options, store: { backend: disk, minFreeBytes: 1000 } })
  onTestFinished(async () => {
    await store.close()
    await rm(directory, { recursive: true, force: true })
  })
  return { store, disk }
}

function open(reconcile: ReconcileOptions, more: TestStoreOptions = {}): Promise<TestStore> {
  return stores.open({ ...more, reconcile })
}

async function metric(store: TestStore, name: string): Promise<number> {
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec((await store.extension.metrics()).text)?.[1])
}

describe('P221: A body with an `Upload-Checksum` MUST be bound by room on the disk, limits and times as any other while it is not checked; one that is refused or ended so leaves nothing', () => {
  describe.each(UPLOAD_KINDS)('a body of %s', (kind, targetAt) => {
    const { bytes } = new TestFile(2 * B)

    test('is refused with 507 where the disk has too little room, and nothing of it is kept', async () => {
      const { store, disk } = await openOnDisk()
      const target = await targetAt(store, 2 * B)
      disk.saysFree = 999
      // the first may have begun before
      await store.datastore.space.look()
      await store.datastore.space.look()
      expect((await patch(target, bytes)).status).toBe(507)
      disk.saysFree = 1000
      await store.datastore.space.look()
      expect(await target.offset()).toBe(0)
      expect((await patch(target, bytes)).status).toBe(204)
    })

    test('counts as bytes of an unfinished upload, and does no more when it was refused', async () => {
      const ofAddress = (most: number) => open({ limits: { unfinishedBytes: { address: most } } })
      const small = await ofAddress(2 * B - 1)
      const target = await targetAt(small, 2 * B)
      for (let i = 0; i < 2; i++) expect((await patch(target, bytes)).status).toBe(429)
      expect(await target.offset()).toBe(0)
      expect((await patch(target, bytes.subarray(0, 2 * B - 1))).status).toBe(204)
      const exact = await ofAddress(2 * B)
      expect((await patch(await targetAt(exact, 2 * B), bytes)).status).toBe(204)
    })

    test('is ended at the largest size of a body, though nobody announced its length and it goes on', async () => {
      const store = await open({ maxAppendSize: B })
      const target = await targetAt(store, 2 * B)
      const raw = begin(target, bytes, { 'Transfer-Encoding': 'chunked' })
      for (let i = 0; i < MANY_CHUNKS; i++) {
        const piece = bytes.subarray((i * 2 * B) / MANY_CHUNKS, ((i + 1) * 2 * B) / MANY_CHUNKS)
        raw.socket.write(`${piece.length.toString(16)}\r\n`)
        raw.socket.write(piece)
        raw.socket.write('\r\n')
      }
      await raw.closed
      expect(raw.text).toMatch(/^HTTP\/1.1 413 /)
      expect(raw.text).toMatch(new RegExp(`^upload-limit: max-append-size=${B}\\r$`, 'im'))
      expect(await target.offset()).toBe(0)
      raw.socket.destroy()
    })

    test.each([['falls silent'], ['drips']])('is ended where it %s, and holds nothing then', async (how) => {
      const store = await open({ bodyTimeoutMs: TIMEOUT_MS, limits: { unfinishedBytes: { address: 2 * B } } })
      const target = await targetAt(store, 2 * B)
      const raw = begin(target, bytes, { 'Content-Length': 2 * B })
      let sent = B
      raw.socket.write(bytes.subarray(0, sent))
      const drip = setInterval(() => how === 'drips' && raw.socket.write(bytes.subarray(sent, ++sent)), TIMEOUT_MS / 20)
      await raw.closed
      clearInterval(drip)
      if (kind === 'a session') expect(raw.text).toMatch(/^HTTP\/1.1 408 /)
      expect(await target.offset()).toBe(0)
      expect((await patch(target, bytes)).status).toBe(204)
      expect(await metric(store, 'tus_reconcile_bodies')).toBe(0)
      raw.socket.destroy()
    })

    test('leaves nothing where its connection breaks off', async () => {
      const store = await open({ limits: { unfinishedBytes: { address: 2 * B } } })
      const target = await targetAt(store, 2 * B)
      const raw = begin(target, bytes, { 'Content-Length': 2 * B })
      raw.socket.write(bytes.subarray(0, B), () => raw.socket.resetAndDestroy())
      await raw.closed
      expect(await target.offset()).toBe(0)
      expect((await patch(target, bytes)).status).toBe(204)
      expect(await readdir(join(store.directory, '.reconcile', 'arriving')).catch(() => [])).toEqual([])
    })
  })
})

test('what a crash has left of bodies that were not checked is gone at the next start', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'reconcile-staged-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const arriving = join(directory, '.reconcile', 'arriving')
  await mkdir(arriving, { recursive: true })
  // cut between the two steps of making it: it has a name still
  await writeFile(join(arriving, '0123456789abcdef'), 'unchecked')
  const store = await startStore({ directory })
  onTestFinished(() => store.close())
  expect(await readdir(arriving).catch(() => [])).toEqual([])
})
