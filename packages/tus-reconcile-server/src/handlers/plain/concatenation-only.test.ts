import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { FileStore } from '@tus/file-store'
import { DataStore, ERRORS, Server, type ServerOptions, Upload } from '@tus/server'
import { afterEach, expect, test } from 'vitest'
import { reconcile } from '../../reconcile.js'
import type { ReconcileExtension } from '../../reconcile-options.js'

const TUS = { 'Tus-Resumable': '1.0.0' }
const BYTES = { 'Content-Type': 'application/offset+octet-stream' }
const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** A store of somebody else's: in memory, its reads are promised late. */
class ForeignStore extends DataStore {
  override extensions = ['creation', 'creation-with-upload', 'termination']
  readonly #uploads = new Map<string, { upload: Upload; bytes: Buffer }>()

  override async create(upload: Upload): Promise<Upload> {
    this.#uploads.set(upload.id, { upload, bytes: Buffer.alloc(0) })
    return upload
  }
  override async write(stream: Readable, id: string, offset: number): Promise<number> {
    const held = this.#held(id)
    const pieces = [held.bytes.subarray(0, offset)]
    for await (const piece of stream) pieces.push(piece)
    held.bytes = Buffer.concat(pieces)
    return held.bytes.length
  }
  override async getUpload(id: string): Promise<Upload> {
    const { upload, bytes } = this.#held(id)
    return Object.assign(new Upload({ id, offset: bytes.length }), { size: upload.size, metadata: upload.metadata })
  }
  override async remove(id: string): Promise<void> {
    this.#held(id)
    this.#uploads.delete(id)
  }
  async read(id: string): Promise<Readable> {
    return Readable.from([this.#held(id).bytes], { objectMode: false })
  }
  #held(id: string): { upload: Upload; bytes: Buffer } {
    const held = this.#uploads.get(id)
    if (!held) throw ERRORS.FILE_NOT_FOUND
    return held
  }
}

async function fileStore(): Promise<FileStore> {
  const directory = await mkdtemp(join(tmpdir(), 'reconcile-foreign-'))
  closing.push(() => rm(directory, { recursive: true, force: true }))
  return new FileStore({ directory })
}

async function mount(
  datastore: DataStore,
  options: Partial<ServerOptions> = {},
): Promise<{ endpoint: string; extension: ReconcileExtension }> {
  const server = new Server({ path: '/files', datastore, ...options })
  const extension = reconcile(server)
  const http = createServer((req, res) => void server.handle(req, res))
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  closing.push(async () => {
    await extension.close()
    http.closeAllConnections()
    await new Promise((resolve) => http.close(resolve))
  })
  // a server that listens on a port has an AddressInfo
  return { endpoint: `http://127.0.0.1:${(http.address() as AddressInfo).port}/files`, extension }
}

function post(endpoint: string, headers: Record<string, string>, body?: string): Promise<Response> {
  return fetch(endpoint, { method: 'POST', headers: { ...TUS, ...headers }, ...(body ? { body } : {}) })
}

async function part(endpoint: string, text: string): Promise<string> {
  const headers = { ...BYTES, 'Upload-Concat': 'partial', 'Upload-Length': String(text.length) }
  return (await post(endpoint, headers, text)).headers.get('location') ?? ''
}

test.each([
  ['FileStore', fileStore],
  ['a store of somebody else', async () => new ForeignStore()],
])('%s gets concatenation, and announces nothing else of ours', async (_name, createStore) => {
  const seen: string[] = []
  const { endpoint, extension } = await mount(await createStore(), {
    onUploadCreate: async (_req, upload) => {
      seen.push(`create ${upload.size}`)
      return {}
    },
    onUploadFinish: async (_req, upload) => {
      seen.push(`finish ${upload.offset} ${JSON.stringify(upload.metadata)}`)
      return {}
    },
  })
  const options = await fetch(endpoint, { method: 'OPTIONS' })
  const extensions = options.headers.get('tus-extension')?.split(',') ?? []
  expect(extensions).toContain('concatenation')
  expect(extensions).not.toContain('checksum')
  expect(extensions).not.toContain('reconcile-1')
  expect([options.headers.get('store-id'), options.headers.get('tus-checksum-algorithm')]).toEqual([null, null])
  const parts = [await part(endpoint, 'one, '), await part(endpoint, 'two')]
  const concat = `final;${parts.join(' ')}`
  const reply = await post(endpoint, { 'Upload-Concat': concat, 'Upload-Metadata': 'filename YQ==' })
  const url = reply.headers.get('location') ?? ''
  expect(reply.status).toBe(201)
  expect(await (await fetch(url)).text()).toBe('one, two')
  const head = await fetch(url, { method: 'HEAD', headers: TUS })
  expect([head.headers.get('upload-concat'), head.headers.get('upload-metadata')]).toEqual([concat, 'filename YQ=='])
  const patch = { method: 'PATCH', headers: { ...TUS, ...BYTES, 'Upload-Offset': '8' }, body: 'x' }
  expect((await fetch(url, patch)).status).toBe(403)
  expect((await fetch(parts[0] ?? '', { method: 'HEAD', headers: TUS })).status).toBe(404)
  expect(seen).toEqual(['create 8', 'finish 8 {"filename":"a"}'])
  expect(await extension.ready).toEqual({ storeId: '' })
})

test('a POST that stands for another method, and a version of tus that is not spoken, are met here too', async () => {
  const { endpoint } = await mount(new ForeignStore())
  const url = (await post(endpoint, { 'Upload-Length': '2' })).headers.get('location') ?? ''
  const patched = await post(url, { ...BYTES, 'Upload-Offset': '0', 'X-HTTP-Method-Override': 'PATCH' }, 'hi')
  const unknown = await post(endpoint, { 'Upload-Length': '2', 'X-HTTP-Method-Override': 'PUT' })
  const other = await post(endpoint, { 'Upload-Length': '2', 'Tus-Resumable': '0.2.2' })
  expect([patched.status, unknown.status, other.status]).toEqual([204, 400, 412])
  expect(other.headers.get('tus-version')).toBe('1.0.0')
})

test('a store that cannot be read from, and options that need a RangeStore, are refused by name', async () => {
  const server = (datastore: DataStore) => new Server({ path: '/files', datastore })
  expect(() => reconcile(server(new DataStore()))).toThrow(/read\(id\)/)
  expect(() => reconcile(server(new ForeignStore()), { secrets: ['0123456789abcdef'] })).toThrow(/secrets.*RangeStore/)
})

test('an option that needs a RangeStore is refused by its name, and not left out', async () => {
  const datastore = await fileStore()
  for (const options of [
    { peers: [] },
    { secrets: [] },
    { dedup: { scope: () => 'tenant' } },
    { commitAt: 'any' },
  ] as const) {
    const server = new Server({ path: '/files', datastore })
    expect(() => reconcile(server, options)).toThrow(new RegExp(`^${Object.keys(options)[0]} needs .* RangeStore`))
  }
})
