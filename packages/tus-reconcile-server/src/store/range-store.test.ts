import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { FileStore, MemoryConfigstore } from '@tus/file-store'
import { Server, Upload } from '@tus/server'
import { BODY_CONTENT_TYPE } from 'tus-reconcile-protocol'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { startStore } from '../testing/server.js'
import { RangeStore } from './range-store.js'

const TUS = { 'Tus-Resumable': '1.0.0' }
const BYTES = randomBytes(600_000)

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'reconcile-store-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const uploads = async (): Promise<string[]> => (await readdir(directory)).filter((name) => !name.startsWith('.'))

/** @tus/server on its own FileStore, on a real port. */
async function serveFileStore(): Promise<{ endpoint: string; close(): Promise<void> }> {
  const server = new Server({ path: '/files', datastore: new FileStore({ directory }) })
  const http = createServer((req, res) => void server.handle(req, res))
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const address = http.address()
  const port = typeof address === 'object' ? address?.port : undefined
  return {
    endpoint: `http://127.0.0.1:${port}/files`,
    close: async () => {
      http.closeAllConnections()
      await new Promise((resolve) => http.close(resolve))
    },
  }
}

async function create(endpoint: string): Promise<string> {
  const headers = { ...TUS, 'Upload-Length': String(BYTES.length), 'Upload-Metadata': `filename ${btoa('a.bin')}` }
  const answer = await fetch(endpoint, { method: 'POST', headers })
  return new URL(answer.headers.get('location') ?? '').pathname.split('/').at(-1) ?? ''
}

async function append(url: string, from: number, to: number): Promise<string | null> {
  const headers = { ...TUS, 'Upload-Offset': String(from), 'Content-Type': BODY_CONTENT_TYPE }
  const answer = await fetch(url, { method: 'PATCH', headers, body: BYTES.subarray(from, to) })
  expect(answer.status).toBe(204)
  return answer.headers.get('upload-offset')
}

test.each(['process', 'disk'] as const)(
  'a directory that FileStore wrote is served, and its unfinished uploads go on (durability: %s)',
  async (durability) => {
    const before = await serveFileStore()
    const [whole, part] = [await create(before.endpoint), await create(before.endpoint)]
    await append(`${before.endpoint}/${whole}`, 0, BYTES.length)
    await append(`${before.endpoint}/${part}`, 0, 250_000)
    await before.close()

    const store = await startStore({ directory, store: { durability } })
    onTestFinished(() => store.close())
    const served = await fetch(`${store.endpoint}/${whole}`)
    expect(served.headers.get('content-disposition')).toContain('a.bin')
    expect(Buffer.from(await served.arrayBuffer()).equals(BYTES)).toBe(true)
    const head = await fetch(`${store.endpoint}/${part}`, { method: 'HEAD', headers: TUS })
    expect([head.headers.get('upload-offset'), head.headers.get('upload-length')]).toEqual(['250000', '600000'])
    expect(await append(`${store.endpoint}/${part}`, 250_000, BYTES.length)).toBe('600000')
    const continued = await fetch(`${store.endpoint}/${part}`)
    expect(Buffer.from(await continued.arrayBuffer()).equals(BYTES)).toBe(true)

    const created = await create(store.endpoint)
    expect(JSON.parse(await readFile(join(directory, `${created}.json`), 'utf8'))).toMatchObject({ id: created })
    expect((await new FileStore({ directory }).getUpload(part)).offset).toBe(BYTES.length)
  },
)

test("FileStore's configstore is used where one is given", async () => {
  const configstore = new MemoryConfigstore()
  const store = new RangeStore({ directory, configstore, expirationPeriodInMilliseconds: 1 })
  const old = new Date(0).toISOString()
  await store.create(new Upload({ id: 'a', offset: 0, size: 4, creation_date: old }))
  expect(await store.write(Readable.from([Buffer.from('te')]), 'a', 0)).toBe(2)
  expect(await uploads()).toEqual(['a'])
  expect((await configstore.get('a'))?.size).toBe(4)
  expect(await store.deleteExpired()).toBe(1)
  expect([await uploads(), await configstore.list()]).toEqual([[], []])
})

test('what an upload is known by is replaced whole, and the leftovers of a crash are swept', async () => {
  const store = new RangeStore({ directory })
  await store.create(new Upload({ id: 'a', offset: 0 }))
  let done = false
  const declaring = Promise.all([1, 2, 3, 4, 5].map((size) => store.declareUploadLength('a', size)))
  void declaring.then(() => {
    done = true
  })
  while (!done) expect(JSON.parse(await readFile(join(directory, 'a.json'), 'utf8')).id).toBe('a')
  await writeFile(store.ownPath('tmp/left'), '{"id":')
  await store.prepare()
  expect(await readdir(store.ownPath(''))).toEqual(['groups'])
})

test('options that mean nothing are refused by name', () => {
  expect(() => new RangeStore({ directory, minFreeBytes: -1 })).toThrow(/minFreeBytes .* not -1/)
  const durability: string = 'always'
  expect(() => Reflect.construct(RangeStore, [{ directory, durability }])).toThrow(/durability .* not "always"/)
})

test('a body that flows before it is handed over loses no byte', async () => {
  const store = new RangeStore({ directory })
  await store.create(new Upload({ id: 'flowing', size: 300, offset: 0 }))
  const body = Readable.from([Buffer.alloc(100, 1), Buffer.alloc(200, 2)], { objectMode: false })
  body.on('data', () => {})
  expect(await store.write(body, 'flowing', 0)).toBe(300)
  expect(await readFile(join(directory, 'flowing'))).toEqual(
    Buffer.concat([Buffer.alloc(100, 1), Buffer.alloc(200, 2)]),
  )
})

test('who removes an upload ends the body that is on its way into it', async () => {
  const store = new RangeStore({ directory })
  await store.create(new Upload({ id: 'gone', size: 300, offset: 0 }))
  const body = new PassThrough()
  const onDisk = new Promise<void>((resolve) => {
    store.onWritten = () => resolve()
  })
  body.write(Buffer.alloc(100))
  const writing = expect(store.write(body, 'gone', 0)).rejects.toMatchObject({ status_code: 410 })
  await onDisk
  await store.remove('gone')
  await writing
  expect(body.destroyed).toBe(false)
  expect(await uploads()).toEqual([])
})

test.for([0, 100])('a body of %i bytes for an upload that was removed a moment ago is told so', async (length) => {
  const store = new RangeStore({ directory })
  await store.create(new Upload({ id: 'gone', size: 300, offset: 0 }))
  await store.remove('gone')
  const body = Readable.from(length > 0 ? [Buffer.alloc(length)] : [], { objectMode: false })
  await expect(store.write(body, 'gone', 0)).rejects.toMatchObject({ status_code: 410 })
})
