import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { FileStore } from '@tus/file-store'
import { DataStore, ERRORS, Server, type Upload } from '@tus/server'
import { BODY_CONTENT_TYPE } from 'tus-reconcile-protocol'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { reconcile } from '../../reconcile.js'
import type { ReconcileExtension } from '../../reconcile-options.js'
import { RangeStore } from '../../store/range-store.js'

const TUS = { 'Tus-Resumable': '1.0.0' }
const BODY = { ...TUS, 'Content-Type': BODY_CONTENT_TYPE }
/** Longer than any test takes: what expires here is made to by the clock that the test turns. */
const EXPIRY_MS = 3_600_000

/** A store of somebody else's, which cannot list its uploads. */
class MemoryStore extends DataStore {
  override extensions = ['creation', 'creation-with-upload', 'termination', 'expiration']
  readonly uploads = new Map<string, { upload: Upload; bytes: Buffer }>()

  override async create(upload: Upload): Promise<Upload> {
    this.uploads.set(upload.id, { upload, bytes: Buffer.alloc(0) })
    return upload
  }
  override async write(stream: Readable, id: string): Promise<number> {
    const kept = this.#of(id)
    for await (const chunk of stream) kept.bytes = Buffer.concat([kept.bytes, chunk])
    kept.upload.offset = kept.bytes.length
    return kept.bytes.length
  }
  override async getUpload(id: string): Promise<Upload> {
    return this.#of(id).upload
  }
  override async remove(id: string): Promise<void> {
    this.uploads.delete(id)
  }
  read(id: string): Readable {
    return Readable.from([this.#of(id).bytes], { objectMode: false })
  }
  override async deleteExpired(): Promise<number> {
    return 0
  }
  override getExpiration(): number {
    return EXPIRY_MS
  }
  #of(id: string): { upload: Upload; bytes: Buffer } {
    const kept = this.uploads.get(id)
    if (!kept) throw ERRORS.FILE_NOT_FOUND
    return kept
  }
}

interface Site {
  readonly endpoint: string
  readonly extension: ReconcileExtension
}

type MakeStore = (directory: string) => DataStore & { read(id: string): Readable }

const expirationPeriodInMilliseconds = EXPIRY_MS
const STORES: readonly (readonly [string, MakeStore])[] = [
  ['RangeStore', (directory) => new RangeStore({ directory, expirationPeriodInMilliseconds })],
  ['FileStore', (directory) => new FileStore({ directory, expirationPeriodInMilliseconds })],
  ['a store that lists nothing', () => new MemoryStore()],
]

async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'reconcile-parts-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

async function open(
  datastore: DataStore,
  options: Parameters<typeof reconcile>[1] = {},
  onUploadCreate?: () => Promise<object>,
): Promise<Site & { close(): Promise<void> }> {
  const server = new Server({ path: '/files', datastore, ...(onUploadCreate ? { onUploadCreate } : {}) })
  const extension = reconcile(server, options)
  await extension.ready
  const http = createServer((req, res) => void server.handle(req, res)).listen(0, '127.0.0.1')
  await new Promise((resolve) => http.once('listening', resolve))
  const close = async () => {
    http.close()
    http.closeAllConnections()
    await extension.close()
  }
  onTestFinished(close)
  return { endpoint: `http://127.0.0.1:${(http.address() as AddressInfo).port}/files`, extension, close }
}

async function part(endpoint: string, text = 'part'): Promise<string> {
  const headers = { ...BODY, 'Upload-Concat': 'partial', 'Upload-Length': String(text.length) }
  const answer = await fetch(endpoint, { method: 'POST', headers, body: text })
  expect([answer.status, answer.headers.get('upload-offset')]).toEqual([201, String(text.length)])
  return answer.headers.get('location') ?? ''
}

function final(endpoint: string, parts: readonly string[]): Promise<Response> {
  const headers = { ...TUS, 'Upload-Concat': `final;${parts.join(' ')}` }
  return fetch(endpoint, { method: 'POST', headers })
}

function turnClock(ms: number): void {
  vi.useFakeTimers({ now: Date.now() + ms, toFake: ['Date'] })
  onTestFinished(() => void vi.useRealTimers())
}

describe('P223: Where uploads expire, a finished partial upload of which no final upload was made MUST end that long after its last byte, but not while a final one is being made of it', () => {
  describe.each(STORES)('over %s', (_name, makeStore) => {
    test('it ends with its time, and no earlier', async () => {
      const { endpoint, extension } = await open(makeStore(await newDirectory()))
      const lost = await part(endpoint)
      turnClock(EXPIRY_MS - 60_000)
      await extension.cleanUp()
      expect((await fetch(lost, { method: 'HEAD', headers: TUS })).status).toBe(200)
      const late = await part(endpoint)
      turnClock(120_000)
      await extension.cleanUp()
      expect((await final(endpoint, [lost])).status).toBe(404)
      expect((await final(endpoint, [late])).status).toBe(201)
    })

    test('a final upload that is being made of it keeps it', async () => {
      let consent: (value: object) => void = () => {}
      let onAsked: () => void = () => {}
      const asked = new Promise<void>((resolve) => {
        onAsked = resolve
      })
      const consented = new Promise<object>((resolve) => {
        consent = resolve
      })
      const hook = () => {
        onAsked()
        return consented
      }
      const { endpoint, extension } = await open(makeStore(await newDirectory()), {}, hook)
      const url = await part(endpoint)
      const made = final(endpoint, [url])
      await asked
      turnClock(EXPIRY_MS + 60_000)
      await extension.cleanUp()
      consent({})
      expect((await made).status).toBe(201)
    })
  })

  test('by a timer of the extension, over another datastore', async () => {
    const store = new MemoryStore()
    const { endpoint } = await open(store, { cleanUpIntervalMs: 10 })
    await part(endpoint)
    turnClock(EXPIRY_MS + 60_000)
    while (store.uploads.size > 0) await new Promise((resolve) => setImmediate(resolve))
  })

  test.each(STORES.slice(0, 2))('after a restart too, over %s', async (_name, makeStore) => {
    const directory = await newDirectory()
    const before = await open(makeStore(directory))
    await part(before.endpoint)
    await before.close()
    const { extension } = await open(makeStore(directory))
    expect(await extension.cleanUp()).toBe(0)
    turnClock(EXPIRY_MS + 60_000)
    await extension.cleanUp()
    expect((await readdir(directory)).filter((name) => name.includes('partial'))).toEqual([])
  })
})
