import { openAsBlob } from 'node:fs'
import { mkdtemp, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RequestBody, Source } from '../orchestration/ports.js'
import { UploadError } from '../orchestration/upload-error.js'
import { openSource, type StoredInput } from './source.js'

const BYTES = Uint8Array.from({ length: 1_000 }, (_, i) => i % 251)
const RANGE = { start: 300, end: 420 }
const SLICE = BYTES.slice(300, 420)

let directory = ''
let made = 0

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'uppy-adaptive-source-'))
})
afterAll(async () => {
  await rm(directory, { recursive: true })
})

async function tempFile(bytes: Uint8Array = BYTES): Promise<string> {
  made += 1
  const path = join(directory, `file-${made}`)
  await writeFile(path, bytes)
  return path
}

async function bytesOf(body: RequestBody): Promise<Uint8Array> {
  if (body instanceof Uint8Array) return new Uint8Array(body)
  if (!(body instanceof Readable)) throw new Error('neither bytes nor a stream')
  return new Uint8Array(Buffer.concat(await body.toArray()))
}

const inputs: [name: string, () => Promise<StoredInput>][] = [
  ['bytes', async () => BYTES],
  ['a part of a larger buffer', async () => new Uint8Array([9, ...BYTES, 9]).subarray(1, 1_001)],
  ['a Buffer', async () => Buffer.from(BYTES)],
  ['a Blob', async () => new Blob([BYTES])],
  ['a File', async () => new File([BYTES], 'a.bin')],
  ['a Blob over a file', async () => openAsBlob(await tempFile())],
  ['a path', async () => ({ path: await tempFile() })],
]

test.each(inputs)('%s has a size, and its ranges are read and sent as often as needed', async (_name, create) => {
  const source = await openSource(await create())
  expect(source.sizeBytes).toBe(1_000)
  for (const range of [RANGE, RANGE, { start: 0, end: 1_000 }, { start: 999, end: 1_000 }]) {
    const wanted = BYTES.slice(range.start, range.end)
    expect(new Uint8Array(await source.read(range))).toEqual(wanted)
    expect(await bytesOf(await source.body(range))).toEqual(wanted)
  }
  await source.close()
})

test('a file from a path is sent as a stream that knows its length', async () => {
  const source = await openSource({ path: await tempFile() })
  const body = await source.body(RANGE)
  expect(body).toMatchObject({ size: 120 })
  expect(await bytesOf(body)).toEqual(SLICE)
  await source.close()
})

test('a File says its type, and is known again by its name, size, type and time', async () => {
  const file = new File([BYTES], 'a.png', { type: 'image/png', lastModified: 1_700_000_000_000 })
  const source = await openSource(file)
  expect(source.contentType).toBe('image/png')
  expect(source.fingerprint).toBe('file:a.png:1000:image/png:1700000000000')
})

test('a path is known again by its place, and says when it was changed', async () => {
  const path = await tempFile()
  const stateOf = async () => {
    const source = await openSource({ path })
    await source.close()
    return [source.fingerprint, source.modifiedAt]
  }
  const [fingerprint] = await stateOf()
  expect(fingerprint).toContain(path)
  await utimes(path, new Date(0), new Date(1_000_000))
  expect(await stateOf()).toEqual([fingerprint, 1_000_000])
})

test('a nameless Blob and bytes cannot be known again, and have no type unless they say so', async () => {
  for (const input of [new Blob([BYTES]), BYTES]) {
    const source = await openSource(input)
    expect([source.fingerprint, source.contentType]).toEqual([undefined, undefined])
  }
  expect((await openSource(new Blob([], { type: 'text/plain' }))).contentType).toBe('text/plain')
})

async function expectChanged(source: Source, path: string): Promise<void> {
  for (const attempt of [() => source.read(RANGE), async () => source.body(RANGE)]) {
    const error: unknown = await attempt().then(
      () => undefined,
      (cause: unknown) => cause,
    )
    expect(error).toBeInstanceOf(UploadError)
    expect(error).toMatchObject({ code: 'source-changed', message: expect.stringContaining(path) })
  }
  await source.close()
}

test.each<[string, (path: string) => Promise<void>]>([
  ['becomes longer', (path) => writeFile(path, new Uint8Array(2_000))],
  ['becomes shorter', (path) => truncate(path, 10)],
  [
    'is written anew with the same size',
    async (path) => {
      await writeFile(path, BYTES.toReversed())
      await utimes(path, new Date(0), new Date(1_000_000))
    },
  ],
  ['is removed', (path) => rm(path)],
])('a file that %s while it is uploaded is neither read nor sent, and the error names it', async (_how, change) => {
  const path = await tempFile()
  const source = await openSource({ path })
  await change(path)
  await expectChanged(source, path)
})

test('a path that cannot be opened, or is no file, is refused by name', async () => {
  const missing = join(directory, 'missing')
  await expect(openSource({ path: missing })).rejects.toMatchObject({
    code: 'source-unreadable',
    message: expect.stringContaining(missing),
  })
  await expect(openSource({ path: directory })).rejects.toMatchObject({
    code: 'source-unreadable',
    message: expect.stringContaining('no ordinary file'),
  })
})

test('a Blob whose file changed cannot be read any more, and the error says to choose it again', async () => {
  const path = await tempFile()
  const source = await openSource(await openAsBlob(path))
  await writeFile(path, new Uint8Array(5))
  await expect(source.read(RANGE)).rejects.toMatchObject({
    code: 'source-changed',
    message: expect.stringContaining('choose it again'),
  })
})

test.each([[null], [undefined], ['a text'], [17], [{}], [{ path: 5 }], [new ArrayBuffer(8)]])(
  '%o is refused, and what can be given is said',
  async (input) => {
    await expect(openSource(input as unknown as StoredInput)).rejects.toMatchObject({
      code: 'bad-source',
      message: expect.stringContaining('give a File, a Blob, a Uint8Array, { path } or a stream of bytes'),
    })
  },
)

test('a Blob whose file changed cannot be sent any more, and the error has the same code', async () => {
  const path = await tempFile()
  const source = await openSource(await openAsBlob(path))
  await writeFile(path, new Uint8Array(5))
  const body = async () => source.body(RANGE)
  await expect(body()).rejects.toMatchObject({ code: 'source-changed' })
})
