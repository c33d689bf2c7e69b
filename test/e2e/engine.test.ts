import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'
import { DefaultHttpStack } from 'tus-js-client'
import { blockFloor, coversRange, parsePartitionHeader } from 'tus-reconcile-protocol'
import { AdaptiveUpload, type AdaptiveUploadOptions, type LoggedEvent, UploadError } from 'uppy-adaptive/upload'
import { afterEach, describe, expect, it } from 'vitest'
import {
  startReconcileServers,
  type TestServer,
  type TestServers,
  type TestServersOptions,
} from '../support/reconcile-servers.js'
import { allowHttp1 } from '../support/wire-census.js'
import { openWireLink, wireProtocol } from '../support/wire-protocol.js'
import { nodeClient } from './node-client.js'

const MB = 1_000_000
const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function servers(options: TestServersOptions): Promise<readonly TestServer[]> {
  const started: TestServers = await startReconcileServers(options)
  cleanups.push(() => started.close())
  return started.servers
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'engine-test-'))
  cleanups.push(() => rm(path, { recursive: true, force: true }))
  return path
}

/** Where the servers are, and how to speak to them. */
function endpointsOf(all: readonly TestServer[]): AdaptiveUploadOptions & { endpoint: string; mirrors: string[] } {
  const [primary, ...mirrors] = all.map((server) => server.endpoint)
  if (primary === undefined) throw new Error('no server')
  return { ...nodeClient(), endpoint: primary, mirrors }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** What the primary serves for an upload's URL, past its link. */
async function storedSha256(primary: TestServer | undefined, url: string): Promise<string> {
  const response = await fetch(`${primary?.direct}/${url.slice(url.lastIndexOf('/') + 1)}`)
  expect(response.status).toBe(200)
  return sha256(new Uint8Array(await response.arrayBuffer()))
}

function bodyBytes(all: readonly TestServer[]): number {
  return all.reduce((sum, server) => sum + server.link.counters.bodyBytesUp, 0)
}

function recorded(upload: AdaptiveUpload): LoggedEvent[] {
  const events: LoggedEvent[] = []
  upload.on('event', (event) => events.push(event))
  return events
}

/** Resolves with the first event that fits. */
function eventThat(upload: AdaptiveUpload, fits: (event: LoggedEvent) => boolean): Promise<LoggedEvent> {
  return new Promise((resolve) => {
    const off = upload.on('event', (event) => {
      if (!fits(event)) return
      off()
      resolve(event)
    })
  })
}

function ackedBytes(upload: AdaptiveUpload, atLeast: number): Promise<LoggedEvent> {
  return eventThat(upload, (event) => event.type === 'progress' && event.ackedBytes >= atLeast)
}

/** Resolves in the turn in which a session of the server has sent something and has so much left; once so much is acknowledged in all. */
function inFlight(upload: AdaptiveUpload, o: { server: number; leftBytes: number; ackedBytes: number }) {
  const ends = new Map<string, number>()
  let acked = 0
  return eventThat(upload, (event) => {
    if (event.type === 'session') ends.set(event.session, event.end)
    if (event.type === 'split') ends.set(event.session, event.newEnd)
    if (event.type === 'progress') acked = event.ackedBytes
    if (event.type !== 'acked' || event.server !== o.server || acked < o.ackedBytes) return false
    return (ends.get(event.session) ?? 0) - event.offset >= o.leftBytes
  })
}

/** Keeps an upload's sessions and operations back until something is so; its probes are not kept back. */
function heldUntil(ready: () => Promise<unknown>): Pick<AdaptiveUploadOptions, 'onBeforeRequest'> {
  return {
    onBeforeRequest: async (request) => {
      if (request.getMethod() === 'POST') await ready()
    },
  }
}

/** The server has nothing of an upload, or will have nothing soon. */
async function expectEmpty(server: TestServer): Promise<void> {
  await expect.poll(() => server.held(), { timeout: 30_000 }).toEqual([])
}

/** Each server has something of an upload, or will have soon. */
async function untilAllHold(all: readonly TestServer[]): Promise<void> {
  for (const server of all) await expect.poll(() => server.held(), { timeout: 30_000 }).not.toEqual([])
}

/** A server that knows nothing of ours, behind a link; its endpoint. */
async function listen(answer: RequestListener, upBytesPerSecond = Number.POSITIVE_INFINITY): Promise<string> {
  const http = createServer(answer)
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', () => resolve()))
  cleanups.push(async () => {
    http.closeAllConnections()
    await new Promise((resolve) => http.close(resolve))
  })
  const target = { host: '127.0.0.1', port: (http.address() as AddressInfo).port }
  const link = await openWireLink({ name: 'plain', target, upBytesPerSecond })
  cleanups.push(() => link.close())
  return `${link.origin}/files`
}

function plainTus(directory: string, upBytesPerSecond?: number): Promise<string> {
  const tus = new Server({ path: '/files', datastore: new FileStore({ directory }), respectForwardedHeaders: true })
  return listen((request, response) => void tus.handle(request, response), upBytesPerSecond)
}

describe('the engine without Uppy', () => {
  for (const size of [0, 1, 262_144, 262_145, 3 * MB + 7]) {
    it(`uploads a Buffer of ${size} bytes to one server`, async () => {
      const all = await servers({ count: 1 })
      const data = randomBytes(size)
      const result = await new AdaptiveUpload(data, {
        ...endpointsOf(all),
        metadata: { filename: 'a file' },
      }).start()
      expect(await storedSha256(all[0], result.url)).toBe(sha256(data))
      expect(bodyBytes(all)).toBe(size)
    })
  }

  it('uploads a path to three servers that each are slower than the link, byte-identical', async () => {
    const all = await servers({ count: 3, upBytesPerSecond: 2 * MB })
    const data = randomBytes(20 * MB)
    const path = join(await folder(), 'source.bin')
    await writeFile(path, data)
    const upload = new AdaptiveUpload({ path }, endpointsOf(all))
    const events = recorded(upload)
    const result = await upload.start()
    expect(await storedSha256(all[0], result.url)).toBe(sha256(data))
    // what was on its way of a session's end when that was given to another arrives twice
    expect(bodyBytes(all)).toBeLessThan(1.02 * data.length)
    expect(new Set(events.flatMap((event) => (event.type === 'session' ? [event.server] : [])))).toEqual(
      new Set([0, 1, 2]),
    )
    expect(upload.uploads.every((status) => status.status === 'completed')).toBe(true)
  })

  it('sends bytes of high priority before the others: they are verified while all the rest is held back', async () => {
    const all = await servers({ count: 2 })
    const data = randomBytes(5 * MB)
    const urgent = blockFloor(3 * MB)
    const upload = new AdaptiveUpload(data, {
      ...endpointsOf(all),
      priority: [
        { start: 3 * MB, end: 3 * MB + 1, priority: 'high' },
        { start: -1, priority: 'high' },
      ],
      onBeforeRequest: async (request) => {
        const header = request.getHeader('Upload-Partition')
        if (header === undefined) return
        const { start } = parsePartitionHeader(header)
        if (start !== urgent && start !== blockFloor(data.length)) await areVerified
      },
    })
    const missing = new Set([urgent, blockFloor(data.length)])
    const areVerified = eventThat(upload, (event) => {
      if (event.type !== 'verified') return false
      for (const start of missing) if (coversRange(event.ranges, { start, end: start + 1 })) missing.delete(start)
      return missing.size === 0
    })
    const result = await upload.start()
    expect(await storedSha256(all[0], result.url)).toBe(sha256(data))
  })

  it('reports progress that is monotone and ends at the size', async () => {
    const all = await servers({ count: 2, upBytesPerSecond: 5 * MB })
    const upload = new AdaptiveUpload(randomBytes(6 * MB), endpointsOf(all))
    const events = recorded(upload)
    await upload.start()
    const progress = events.flatMap((event) => (event.type === 'progress' ? [event.ackedBytes] : []))
    expect(progress).toEqual([...progress].sort((a, b) => a - b))
    expect(progress.at(-1)).toBe(6 * MB)
  })

  it('leaves nothing on the mirrors once the file is committed', async () => {
    const all = await servers({ count: 3, upBytesPerSecond: 5 * MB })
    await new AdaptiveUpload(randomBytes(9 * MB), endpointsOf(all)).start()
    expect(bodyBytes(all.slice(1))).toBeGreaterThan(0)
    for (const mirror of all.slice(1)) await expectEmpty(mirror)
  })

  it('uploads to a plain tus server', async () => {
    const directory = await folder()
    const data = randomBytes(2 * MB)
    const result = await new AdaptiveUpload(data, { ...nodeClient(), endpoint: await plainTus(directory) }).start()
    expect(result.digest).toBeNull()
    const stored = await readFile(join(directory, result.url.slice(result.url.lastIndexOf('/') + 1)))
    expect(sha256(stored)).toBe(sha256(data))
  })
})

describe('links that fail', () => {
  it('takes over the rest of a session whose server falls silent', async () => {
    const all = await servers({ count: 3, upBytesPerSecond: 2 * MB })
    const data = randomBytes(20 * MB)
    // small partitions: there is always unsent work, so that a copy is no remedy
    const upload = new AdaptiveUpload(data, { ...endpointsOf(all), partitioning: { maxSize: MB } })
    const events = recorded(upload)
    void inFlight(upload, { server: 1, leftBytes: MB / 3, ackedBytes: 3 * MB }).then(() => all[1]?.link.stall())
    const result = await upload.start()
    expect(await storedSha256(all[0], result.url)).toBe(sha256(data))
    expect(events.some((event) => event.type === 'takeOver' && event.server === 1)).toBe(true)
  })

  it('splits a session that becomes slow, in flight', async () => {
    // so slow that links decide and not the machine, which a session at a tenth of the others' rate needs to be seen
    const all = await servers({ count: 3, upBytesPerSecond: MB / 2 })
    const data = randomBytes(10 * MB)
    const partitioning = { initialSize: 2 * MB, minSize: 2 * MB }
    const upload = new AdaptiveUpload(data, { ...endpointsOf(all), partitioning })
    const events = recorded(upload)
    void inFlight(upload, { server: 0, leftBytes: MB, ackedBytes: MB }).then(() =>
      all[0]?.link.set({ upBytesPerSecond: MB / 20 }),
    )
    const result = await upload.start()
    expect(await storedSha256(all[0], result.url)).toBe(sha256(data))
    expect(events.some((event) => event.type === 'split' && event.server === 0)).toBe(true)
    // of what moved only that arrives twice which was on its way when the end came, and what was copied
    const copied = events.reduce(
      (sum, event) => sum + (event.type === 'copy' ? event.range.end - event.range.start : 0),
      0,
    )
    expect(bodyBytes(all) - copied).toBeLessThan(1.05 * data.length)
  })

  it('starts a copy when the end hangs on a silent server, and stops the loser there', async () => {
    const all = await servers({ count: 2, upBytesPerSecond: MB / 2 })
    // one partition for each server: soon nothing is unsent, so that taking over is no remedy
    const size = 15 * 262_144
    const data = randomBytes(2 * size)
    const partitioning = { initialSize: size, minSize: size, maxSize: size }
    const upload = new AdaptiveUpload(data, { ...endpointsOf(all), partitioning })
    const events = recorded(upload)
    const stalled = 1
    void eventThat(upload, (event) => event.type === 'acked' && event.server === stalled).then(() =>
      all[stalled]?.link.stall(),
    )
    const result = await upload.start()
    expect(await storedSha256(all[0], result.url)).toBe(sha256(data))
    const copies = events.flatMap((event) => (event.type === 'copy' ? [event] : []))
    expect(copies.map((copy) => copy.from)).toContain(stalled)
    for (const copy of copies)
      expect(upload.uploads.find((status) => status.uploadID === copy.of)?.status).toBe('superseded')
    expect(events.some((event) => event.type === 'failed')).toBe(false)
  })

  it('goes on with the same sessions by another address of the same store', async () => {
    const all = await servers({ count: 1, upBytesPerSecond: 2 * MB })
    const [first] = all
    if (!first) throw new Error('no server')
    const target = { host: '127.0.0.1', port: Number(new URL(first.direct).port) }
    const second = await openWireLink({ name: 'second address', target, upBytesPerSecond: 2 * MB })
    cleanups.push(() => second.close())
    const data = randomBytes(10 * MB)
    const memory = join(await folder(), 'memory.json')
    const given = () => ({ ...endpointsOf(all), mirrors: [`${second.origin}/files`], predictor: { memory } })
    const upload = new AdaptiveUpload(data, given())
    const events = recorded(upload)
    const isKnown = eventThat(upload, (event) => event.type === 'warning' && event.code === 'same-store')
    void Promise.all([isKnown, ackedBytes(upload, 3 * MB)]).then(() => first.link.stall())
    const result = await upload.start()
    expect(await storedSha256(first, result.url)).toBe(sha256(data))
    expect(events.some((event) => event.type === 'reconnect' && event.remedy === 'otherRoute')).toBe(true)
    expect(events.filter((event) => event.type === 'takeOver' || event.type === 'copy')).toEqual([])
    // what the first address had passed on is not sent again
    expect(second.counters.bodyBytesUp).toBeLessThan(8 * MB)
    // what the next process begins with
    const { routes } = JSON.parse(await readFile(memory, 'utf8')) as { routes: string }
    expect(JSON.parse(routes).hosts).toMatchObject({ [new URL(first.endpoint).host]: { times: 1, isBack: false } })
    first.link.resume()
    const before = first.link.counters.bodyBytesUp
    const next = new AdaptiveUpload(data, { ...given(), httpStack: given().httpStack ?? new DefaultHttpStack({}) })
    const nextEvents = recorded(next)
    await next.start()
    expect(nextEvents.filter((event) => event.type === 'route')).toEqual([])
    expect(first.link.counters.bodyBytesUp - before).toBeLessThan(data.length / 2)
  })

  it('commits through a mirror when its own path to the primary is dead', async () => {
    const all = await servers({ count: 3, upBytesPerSecond: 2 * MB })
    const data = randomBytes(12 * MB)
    const upload = new AdaptiveUpload(data, endpointsOf(all))
    const events = recorded(upload)
    void ackedBytes(upload, 3 * MB).then(() => all[0]?.link.blackHole())
    const result = await upload.start()
    expect(await storedSha256(all[0], result.url)).toBe(sha256(data))
    expect(result.url.startsWith(all[0]?.endpoint ?? '?')).toBe(true)
    expect(events.some((event) => event.type === 'relayed' && event.operation === 'commit')).toBe(true)
  })

  it('starts no copy when all servers fall silent together', async () => {
    const all = await servers({ count: 3, upBytesPerSecond: 2 * MB })
    const data = randomBytes(15 * MB)
    const upload = new AdaptiveUpload(data, endpointsOf(all))
    const events = recorded(upload)
    void ackedBytes(upload, 5 * MB)
      .then(() => all.map((server) => server.link.stall()))
      .then(() => eventThat(upload, (event) => event.type === 'sample' && event.link.pGood < 0.2))
      .then(() => all.map((server) => server.link.resume()))
    const result = await upload.start()
    expect(await storedSha256(all[0], result.url)).toBe(sha256(data))
    expect(events.filter((event) => event.type === 'copy')).toEqual([])
    expect(bodyBytes(all)).toBeLessThan(1.1 * data.length)
  })

  it('goes on with the same session after its connection was reset', async () => {
    const all = await servers({ count: 1, upBytesPerSecond: 2 * MB })
    const data = randomBytes(6 * MB)
    const upload = new AdaptiveUpload(data, endpointsOf(all))
    const events = recorded(upload)
    void ackedBytes(upload, 2 * MB).then(() => all[0]?.link.reset())
    const result = await upload.start()
    expect(await storedSha256(all[0], result.url)).toBe(sha256(data))
    expect(events.some((event) => event.type === 'cut')).toBe(true)
    expect(upload.uploads.every((status) => status.status === 'completed')).toBe(true)
  })
})

describe.runIf(wireProtocol === 'h2')('servers behind TLS', () => {
  it('takes the engine’s own requests as well, which speak HTTP/1.1', async () => {
    allowHttp1()
    const all = await servers({ count: 2, upBytesPerSecond: 5 * MB })
    const data = randomBytes(3 * MB)
    const { endpoint, mirrors } = endpointsOf(all)
    const result = await new AdaptiveUpload(data, { endpoint, mirrors }).start()
    expect(result.url.startsWith('https://')).toBe(true)
    expect(await storedSha256(all[0], result.url)).toBe(sha256(data))
    expect(all.map((server) => server.link.counters.http2Connections)).toEqual([0, 0])
  })

  it('goes on by a new connection when a proxy is reloaded, and nothing fails', async () => {
    const all = await servers({ count: 1, upBytesPerSecond: 2 * MB })
    const data = randomBytes(6 * MB)
    const upload = new AdaptiveUpload(data, endpointsOf(all))
    const events = recorded(upload)
    void ackedBytes(upload, 2 * MB).then(() => all[0]?.link.drain())
    const result = await upload.start()
    expect(await storedSha256(all[0], result.url)).toBe(sha256(data))
    expect(events.filter((event) => event.type === 'cut' || event.type === 'failed')).toEqual([])
    expect(all[0]?.link.counters.http2Connections).toBeGreaterThanOrEqual(2)
  })
})

describe('pause, resume, cancel, and a second try', () => {
  it('pauses with nothing running and goes on without sending acknowledged blocks again', async () => {
    const all = await servers({ count: 2, upBytesPerSecond: 2 * MB })
    const data = randomBytes(10 * MB)
    const upload = new AdaptiveUpload(data, endpointsOf(all))
    const done = upload.start()
    await ackedBytes(upload, 3 * MB)
    await upload.pause()
    expect(upload.state).toBe('paused')
    await upload.resume()
    const result = await done
    expect(await storedSha256(all[0], result.url)).toBe(sha256(data))
    // at most what each of the two sessions in flight had sent of a block, and what was on its way
    expect(bodyBytes(all)).toBeLessThan(data.length + 2 * 2 * 262_144 + MB)
  })

  it('cancels everywhere', async () => {
    const all = await servers({ count: 2, upBytesPerSecond: 2 * MB })
    const upload = new AdaptiveUpload(randomBytes(20 * MB), endpointsOf(all))
    const done = upload.start()
    await untilAllHold(all)
    await ackedBytes(upload, 3 * MB)
    await upload.cancel()
    await expect(done).rejects.toMatchObject({ code: 'cancelled' })
    for (const server of all) await expectEmpty(server)
  })

  // what servers tell each other does not depend on how clients come
  for (const [who, away] of [
    ['a mirror', 1],
    ['the primary', 0],
  ] as const)
    it.runIf(wireProtocol === 'h1')(`cancels on ${who} that is away, too, once it is back`, async () => {
      const all = await servers({ count: 3, upBytesPerSecond: MB })
      const upload = new AdaptiveUpload(randomBytes(20 * MB), endpointsOf(all))
      const events = recorded(upload)
      const done = upload.start()
      await untilAllHold(all)
      await all[away]?.stop()
      await Promise.all([upload.cancel(), expect(done).rejects.toMatchObject({ code: 'cancelled' })])
      expect(events).not.toContainEqual(expect.objectContaining({ code: 'cancel-incomplete' }))
      expect(await all[away]?.held()).not.toEqual([])
      await all[away]?.restart()
      for (const server of all) await expectEmpty(server)
    })

  it('cancels on a plain tus server too', async () => {
    const directory = await folder()
    const asked: string[] = []
    const upload = new AdaptiveUpload(randomBytes(8 * MB), {
      ...nodeClient(),
      endpoint: await plainTus(directory, MB),
      onBeforeRequest: (request) => void asked.push(request.getMethod()),
    })
    const done = upload.start().catch((error: unknown) => error)
    await ackedBytes(upload, MB)
    await upload.cancel()
    expect(await done).toMatchObject({ code: 'cancelled' })
    await expect.poll(() => readdir(directory), { timeout: 30_000 }).toEqual([])
    expect(new Set(asked)).toEqual(new Set(['OPTIONS', 'POST', 'PATCH', 'DELETE']))
  })

  it('finishes in a second process what a journal remembers, without sending acknowledged blocks again', async () => {
    const all = await servers({ count: 2, upBytesPerSecond: 2 * MB })
    const data = randomBytes(10 * MB)
    const directory = await folder()
    const path = join(directory, 'source.bin')
    await writeFile(path, data)
    const options = { ...endpointsOf(all), journal: join(directory, 'journal.json') }
    const first = new AdaptiveUpload({ path }, options)
    const stop = new AbortController()
    const stopped = first.start({ signal: stop.signal })
    await ackedBytes(first, 5 * MB)
    stop.abort()
    await expect(stopped).rejects.toMatchObject({ code: 'aborted' })
    const second = new AdaptiveUpload({ path }, options)
    const events = recorded(second)
    const result = await second.start()
    expect(await storedSha256(all[0], result.url)).toBe(sha256(data))
    expect(events.find((event) => event.type === 'started')).toMatchObject({ resumed: true })
    expect(bodyBytes(all)).toBeLessThan(data.length + 2 * 2 * 262_144 + MB)
    expect(await readdir(directory)).toEqual(['source.bin'])
  })
})

describe('what predictions learn', () => {
  it('is of every server and its load, and stays in a file for the next process', async () => {
    const all = await servers({ count: 2, upBytesPerSecond: 8 * MB })
    const stores = await Promise.all(
      all.map(async (server) => (await fetch(server.direct, { method: 'OPTIONS' })).headers.get('store-id')),
    )
    const memory = join(await folder(), 'predictor.json')
    const upload = async (): Promise<LoggedEvent[]> => {
      const next = new AdaptiveUpload(randomBytes(6 * MB), { ...endpointsOf(all), predictor: { memory } })
      const events = recorded(next)
      await next.start()
      return events
    }
    const first = await upload()
    const loads = first.flatMap((event) => (event.type === 'load' ? [event.store] : []))
    expect(new Set(loads)).toEqual(new Set(stores))
    const { predictor } = JSON.parse(await readFile(memory, 'utf8')) as { predictor: string }
    for (const store of stores) expect(predictor).toContain(store)
    expect(first.some((event) => event.type === 'recalled')).toBe(false)
    const second = await upload()
    expect(second.find((event) => event.type === 'recalled')).toMatchObject({ priors: null })
    const session = second.find((event) => event.type === 'session')
    expect(session).toMatchObject({ goodputBytesPerSecond: expect.any(Number) })
  })
})

async function operate(server: TestServer | undefined, operation: Record<string, unknown>): Promise<Response> {
  const home = (await fetch(server?.direct ?? '', { method: 'OPTIONS' })).headers.get('store-id')
  return fetch(server?.direct ?? '', {
    method: 'POST',
    headers: { 'Tus-Resumable': '1.0.0', 'Content-Type': 'application/tus-reconcile+json' },
    body: JSON.stringify({ ...operation, home }),
  })
}

describe('what others do to an upload', () => {
  it('begins anew, once, when the group that a journal remembers was terminated', async () => {
    const all = await servers({ count: 2, upBytesPerSecond: 2 * MB })
    const directory = await folder()
    const path = join(directory, 'source.bin')
    const data = randomBytes(10 * MB)
    await writeFile(path, data)
    const options = { ...endpointsOf(all), journal: join(directory, 'journal.json') }
    const first = new AdaptiveUpload({ path }, options)
    const started = eventThat(first, (event) => event.type === 'started')
    const stop = new AbortController()
    const stopped = first.start({ signal: stop.signal }).catch(() => {})
    await ackedBytes(first, 2 * MB)
    stop.abort()
    await stopped
    const { group } = Object.assign({ group: '' }, await started)
    expect((await operate(all[0], { op: 'terminate', group })).status).toBe(200)
    const second = new AdaptiveUpload({ path }, options)
    const events = recorded(second)
    const result = await second.start()
    expect(await storedSha256(all[0], result.url)).toBe(sha256(data))
    expect(events.filter((event) => event.type === 'started').map((event) => event.resumed)).toEqual([true, false])
    expect(events.filter((event) => event.type === 'failed')).toEqual([])
  })

  it('fails as gone when its group is terminated in mid-upload, and leaves the servers alone', async () => {
    const all = await servers({ count: 1, upBytesPerSecond: 2 * MB })
    const upload = new AdaptiveUpload(randomBytes(8 * MB), endpointsOf(all))
    const started = eventThat(upload, (event) => event.type === 'started')
    const done = upload.start().catch((error: unknown) => error)
    await ackedBytes(upload, 2 * MB)
    const { group } = Object.assign({ group: '' }, await started)
    await operate(all[0], { op: 'terminate', group })
    expect(await done).toMatchObject({ code: 'gone' })
    expect(all[0]?.link.counters.requests.POST ?? 0).toBeLessThan(60)
  })

  it('ends another page’s idle session that owns a block, and sends the block again', async () => {
    const all = await servers({ count: 1, upBytesPerSecond: 4 * MB })
    const data = randomBytes(2 * MB)
    const home = (await fetch(all[0]?.direct ?? '', { method: 'OPTIONS' })).headers.get('store-id')
    const id = () => randomBytes(16).toString('base64url')
    const intrude = async (group: string) => {
      const partition = `group="${group}", partition="q", session="${id()}", attempt=1, client="${id()}", start=1048576, size=${data.length}, home="${home}"`
      const headers = {
        'Tus-Resumable': '1.0.0',
        'Upload-Defer-Length': '1',
        'Upload-Partition': partition,
        'Content-Type': 'application/offset+octet-stream',
      }
      const answer = await fetch(all[0]?.direct ?? '', { method: 'POST', headers, body: new Uint8Array(100_000) })
      expect(answer.status).toBe(201)
    }
    let intruded: Promise<unknown> = Promise.resolve()
    const upload = new AdaptiveUpload(data, { ...endpointsOf(all), ...heldUntil(() => intruded) })
    upload.on('event', (event) => {
      if (event.type === 'started') intruded = intrude(event.group)
    })
    const result = await upload.start()
    expect(await storedSha256(all[0], result.url)).toBe(sha256(data))
  })

  it('goes on when it is started again after it was stopped', async () => {
    const all = await servers({ count: 1, upBytesPerSecond: 2 * MB })
    const data = randomBytes(6 * MB)
    const upload = new AdaptiveUpload(data, endpointsOf(all))
    const stop = new AbortController()
    const stopped = upload.start({ signal: stop.signal })
    void ackedBytes(upload, 3 * MB).then(() => stop.abort())
    await expect(stopped).rejects.toMatchObject({ code: 'aborted' })
    const before = bodyBytes(all)
    const result = await upload.start()
    expect(await storedSha256(all[0], result.url)).toBe(sha256(data))
    expect(bodyBytes(all) - before).toBeLessThan(3 * MB + MB)
  })
})

describe('bad input', () => {
  it('refuses to be made without an endpoint', () => {
    expect(() => new AdaptiveUpload(Buffer.from('x'), { endpoint: '' })).toThrow(
      expect.objectContaining({ code: 'no-endpoint' }),
    )
  })

  it('refuses mirrors that list the primary by its URL', () => {
    const options = { endpoint: 'http://127.0.0.1:1/files', mirrors: ['http://127.0.0.1:1/files/'] }
    expect(() => new AdaptiveUpload(Buffer.from('x'), options)).toThrow(/lists the primary .* again/)
  })

  it('says that an endpoint is no tus server', async () => {
    const endpoint = await listen((_request, response) => response.end('hello'))
    const failure = await new AdaptiveUpload(Buffer.from('x'), { ...nodeClient(), endpoint })
      .start()
      .catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(UploadError)
    expect(failure).toMatchObject({ code: 'not-a-tus-server', message: expect.stringContaining(endpoint) })
  })

  it('names a server that does not answer, and stops when told for how long to wait', async () => {
    const failure = await new AdaptiveUpload(Buffer.from('x'), {
      endpoint: 'http://127.0.0.1:1/files',
      giveUpAfter: 0.2,
    })
      .start()
      .catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'unreachable', message: expect.stringContaining('http://127.0.0.1:1/files') })
  })

  it('warns of a mirror without the extension and goes on without it', async () => {
    const all = await servers({ count: 1 })
    const plain = await plainTus(await folder())
    const data = randomBytes(4 * MB)
    let isTold: Promise<unknown> = Promise.resolve()
    const options = { ...endpointsOf(all), mirrors: [plain], ...heldUntil(() => isTold) }
    const upload = new AdaptiveUpload(data, options)
    isTold = eventThat(upload, (event) => event.type === 'warning')
    const events = recorded(upload)
    const result = await upload.start()
    expect(await storedSha256(all[0], result.url)).toBe(sha256(data))
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'warning', code: 'mirror-without-extension', endpoint: plain }),
    )
  })

  it('uses a second address of the primary as a route to it and says so', async () => {
    // the address past the link is in the clear
    allowHttp1()
    const all = await servers({ count: 1, upBytesPerSecond: 5 * MB })
    const data = randomBytes(4 * MB)
    let isTold: Promise<unknown> = Promise.resolve()
    const addresses = { ...endpointsOf(all), mirrors: [all[0]?.direct ?? ''] }
    const upload = new AdaptiveUpload(data, { ...addresses, ...heldUntil(() => isTold) })
    isTold = eventThat(upload, (event) => event.type === 'warning')
    const events = recorded(upload)
    const result = await upload.start()
    expect(await storedSha256(all[0], result.url)).toBe(sha256(data))
    expect(events).toContainEqual(expect.objectContaining({ type: 'warning', code: 'same-store' }))
  })

  it('names a file that cannot be read', async () => {
    const path = join(await folder(), 'missing.bin')
    const failure = await new AdaptiveUpload({ path }, { endpoint: 'http://127.0.0.1:1/files' })
      .start()
      .catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'source-unreadable', message: expect.stringContaining(path) })
  })

  it('fails clearly, and commits nothing, when the file changes while it is uploaded', async () => {
    const all = await servers({ count: 1, upBytesPerSecond: 2 * MB })
    const path = join(await folder(), 'source.bin')
    await writeFile(path, randomBytes(6 * MB))
    const upload = new AdaptiveUpload({ path }, endpointsOf(all))
    const done = upload.start().catch((error: unknown) => error)
    await ackedBytes(upload, 2 * MB)
    // nothing moves while the file is written
    all[0]?.link.stall()
    await writeFile(path, randomBytes(6 * MB))
    all[0]?.link.resume()
    expect(await done).toMatchObject({ code: 'source-changed', message: expect.stringContaining(path) })
  })
})
