import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { AdaptiveUpload, type LoggedEvent } from 'uppy-adaptive/upload'
import { afterEach, expect, test } from 'vitest'
import { type Front, startPlainServer } from '../support/plain-server.js'
import { startReconcileServers } from '../support/reconcile-servers.js'
import { nodeClient } from './node-client.js'

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

/** @tus/server alone, or behind a front. */
async function plainServer(o: { front?: Front } = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'stream-test-'))
  cleanups.push(() => rm(directory, { recursive: true, force: true }))
  const server = await startPlainServer({ directory, ...o })
  cleanups.push(() => server.close())
  return { directory, options: { ...nodeClient(), endpoint: server.endpoint } }
}

/** Breaks PATCHes off, each after so many bytes of it. */
function breaking(cuts: readonly number[]): Front {
  let patches = 0
  return (request, _response, pass) => {
    const cutAfter = request.method === 'PATCH' ? cuts[patches++] : undefined
    let received = 0
    if (cutAfter !== undefined)
      request
        .on('data', (piece: Uint8Array) => {
          received += piece.length
          if (received > cutAfter) request.socket.destroy()
        })
        // nothing flows before the server reads
        .pause()
    pass()
  }
}

test('a stream of unknown size goes to a reconcile server, alone and whole, and its size is told at the end', async () => {
  const { servers, close } = await startReconcileServers({ count: 2 })
  cleanups.push(close)
  const [primary, mirror] = servers
  const bytes = randomBytes(5 * MB)
  const upload = new AdaptiveUpload(Readable.from(inPieces(bytes)), {
    ...nodeClient(),
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
    const { options, directory } = await plainServer({ front: breaking(cuts) })
    const stream = new Blob([bytes]).stream()
    const { url, size } = await new AdaptiveUpload(stream, { ...options, streamBuffer: 1_200_000 }).start()
    expect(size).toBe(bytes.length)
    expect(await stored(directory, url)).toBe(sha256(bytes))
  }
})

test('an empty stream is an empty file', async () => {
  const { options } = await plainServer()
  const { url, size } = await new AdaptiveUpload(Readable.from([]), options).start()
  expect(size).toBe(0)
  const head = await fetch(url, { method: 'HEAD', headers: { 'Tus-Resumable': '1.0.0' } })
  expect(head.headers.get('upload-length')).toBe('0')
})

test('a stream that was stopped goes on where it was; one that is cancelled is closed, and leaves nothing', async () => {
  const bytes = randomBytes(4 * MB)
  const { options, directory } = await plainServer()
  const stream = Readable.from(inPieces(bytes))
  const upload = new AdaptiveUpload(stream, { ...options, streamBuffer: 500_000 })
  const stop = new AbortController()
  const off = upload.on('event', (event) => event.type === 'acked' && event.offset > MB && stop.abort())
  await expect(upload.start({ signal: stop.signal })).rejects.toMatchObject({ code: 'aborted' })
  off()
  const { url } = await upload.start()
  expect(await stored(directory, url)).toBe(sha256(bytes))
  const before = (await readdir(directory)).length
  const other = Readable.from(inPieces(bytes))
  const cancelled = new AdaptiveUpload(other, { ...options, streamBuffer: 500_000 })
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
  const tus = { 'Tus-Version': '1.0.0', 'Tus-Resumable': '1.0.0', 'Tus-Extension': 'creation' }
  const { options } = await plainServer({ front: (_request, response) => response.writeHead(204, tus).end() })
  await expect(new AdaptiveUpload(Readable.from([]), options).start()).rejects.toMatchObject({
    code: 'bad-source',
    message: expect.stringContaining('creation-defer-length'),
  })
})
