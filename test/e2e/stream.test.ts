import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'
import { AdaptiveUpload, type LoggedEvent } from 'uppy-adaptive/upload'
import { afterEach, expect, test } from 'vitest'
import { startReconcileServers } from '../support/reconcile-servers.js'

const MB = 1_000_000
const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Pieces of odd lengths. */
function* inPieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 70_001) yield bytes.subarray(at, at + 70_001)
}

async function stored(directory: string | undefined, url: string): Promise<string> {
  return sha256(await readFile(join(directory ?? '', url.slice(url.lastIndexOf('/') + 1))))
}

/** @tus/server alone; `cutPatch` of these breaks after so many bytes of it. */
async function plainServer(cuts: readonly number[] = []): Promise<{ endpoint: string; directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'stream-test-'))
  const tus = new Server({ path: '/files', datastore: new FileStore({ directory }) })
  let patches = 0
  const http = createServer((request, response) => {
    const cutAfter = request.method === 'PATCH' ? cuts[patches++] : undefined
    let received = 0
    if (cutAfter !== undefined)
      request.on('data', (piece: Uint8Array) => {
        received += piece.length
        if (received > cutAfter) request.socket.destroy()
      })
    void tus.handle(request, response)
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  cleanups.push(async () => {
    http.closeAllConnections()
    await new Promise((resolve) => http.close(resolve))
    await rm(directory, { recursive: true, force: true })
  })
  return { endpoint: `http://127.0.0.1:${(http.address() as AddressInfo).port}/files`, directory }
}

test('a stream of unknown size goes to a reconcile server, alone and whole, and its size is told at the end', async () => {
  const { servers, close } = await startReconcileServers({ count: 2 })
  cleanups.push(close)
  const [primary, mirror] = servers
  const bytes = randomBytes(5 * MB)
  const upload = new AdaptiveUpload(Readable.from(inPieces(bytes)), {
    endpoint: primary?.endpoint ?? '',
    mirrors: [mirror?.endpoint ?? ''],
    streamBuffer: 1_000_000,
  })
  const events: LoggedEvent[] = []
  upload.on('event', (event) => events.push(event))
  const { url, size, digest } = await upload.start()
  expect([size, digest]).toEqual([bytes.length, null])
  expect(await stored(primary?.directory, url)).toBe(sha256(bytes))
  expect(mirror?.link.counters.bodyBytesUp).toBe(0)
  const acked = events.flatMap((event) => (event.type === 'progress' ? [event.ackedBytes] : []))
  expect(acked.at(-1)).toBe(bytes.length)
  expect(acked.every((ackedBytes, i) => ackedBytes > (acked[i - 1] ?? 0))).toBe(true)
})

test('a web stream goes to a plain tus server, over connections that break in any PATCH, the last one too', async () => {
  const bytes = randomBytes(3 * MB)
  // the length is told with the last PATCH, before its bytes arrive: told again it would be refused
  for (const cuts of [
    [300_000],
    [Number.POSITIVE_INFINITY, 200_000],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 100_000],
  ]) {
    const { endpoint, directory } = await plainServer(cuts)
    const stream = new Blob([bytes]).stream()
    const { url, size } = await new AdaptiveUpload(stream, { endpoint, streamBuffer: 1_200_000 }).start()
    expect(size).toBe(bytes.length)
    expect(await stored(directory, url)).toBe(sha256(bytes))
  }
})

test('an empty stream is an empty file', async () => {
  const { endpoint } = await plainServer()
  const { url, size } = await new AdaptiveUpload(Readable.from([]), { endpoint }).start()
  expect(size).toBe(0)
  const head = await fetch(url, { method: 'HEAD', headers: { 'Tus-Resumable': '1.0.0' } })
  expect(head.headers.get('upload-length')).toBe('0')
})

test('a stream that was stopped goes on where it was; one that is cancelled is closed, and leaves nothing', async () => {
  const bytes = randomBytes(4 * MB)
  const { endpoint, directory } = await plainServer()
  const stream = Readable.from(inPieces(bytes))
  const upload = new AdaptiveUpload(stream, { endpoint, streamBuffer: 500_000 })
  const stop = new AbortController()
  const off = upload.on('event', (event) => event.type === 'acked' && event.offset > MB && stop.abort())
  await expect(upload.start({ signal: stop.signal })).rejects.toMatchObject({ code: 'aborted' })
  off()
  const { url } = await upload.start()
  expect(await stored(directory, url)).toBe(sha256(bytes))
  const before = (await readdir(directory)).length
  const other = Readable.from(inPieces(bytes))
  const cancelled = new AdaptiveUpload(other, { endpoint, streamBuffer: 500_000 })
  const failed = cancelled.start().catch((error: { code: string }) => error.code)
  await new Promise<void>((resolve) => {
    cancelled.on('event', (event) => event.type === 'acked' && event.offset > MB && resolve())
  })
  await cancelled.cancel()
  expect(await failed).toBe('cancelled')
  expect(other.destroyed).toBe(true)
  expect((await readdir(directory)).length).toBe(before)
})

test('a server that takes no unknown size says so before the stream is read', async () => {
  const http = createServer((_request, response) =>
    response.writeHead(204, { 'Tus-Version': '1.0.0', 'Tus-Resumable': '1.0.0', 'Tus-Extension': 'creation' }).end(),
  )
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  cleanups.push(async () => {
    http.closeAllConnections()
    await new Promise((resolve) => http.close(resolve))
  })
  const endpoint = `http://127.0.0.1:${(http.address() as AddressInfo).port}/files`
  await expect(new AdaptiveUpload(Readable.from([]), { endpoint }).start()).rejects.toMatchObject({
    code: 'bad-source',
    message: expect.stringContaining('creation-defer-length'),
  })
})
