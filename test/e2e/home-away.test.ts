import { createHash, randomBytes } from 'node:crypto'
import { DefaultHttpStack } from 'tus-js-client'
import { AdaptiveUpload, type AdaptiveUploadOptions, type LoggedEvent } from 'uppy-adaptive/upload'
import { afterEach, expect, test } from 'vitest'
import { startReconcileServers, type TestServer, type TestServers } from '../support/reconcile-servers.js'
import { openWireLink } from '../support/wire-protocol.js'
import { nodeClient } from './node-client.js'

const MB = 1_000_000
const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Three servers that let a file be committed at any of them. */
async function threeServers(): Promise<[home: TestServer, ...mirrors: TestServer[]]> {
  const started: TestServers = await startReconcileServers({ count: 3, upBytesPerSecond: 4 * MB, commitAt: 'any' })
  cleanups.push(() => started.close())
  const [home, ...mirrors] = started.servers
  if (!home) throw new Error('no server')
  return [home, ...mirrors]
}

function uploadTo(
  [home, ...mirrors]: readonly TestServer[],
  bytes: Uint8Array,
  options: Partial<AdaptiveUploadOptions>,
): { upload: AdaptiveUpload; events: LoggedEvent[] } {
  const endpoints = { endpoint: home?.endpoint ?? '', mirrors: mirrors.map(({ endpoint }) => endpoint) }
  const upload = new AdaptiveUpload(bytes, { ...nodeClient(), ...endpoints, ...options })
  const events: LoggedEvent[] = []
  upload.on('event', (event) => events.push(event))
  return { upload, events }
}

function untilHomeHasSome(upload: AdaptiveUpload): Promise<void> {
  return new Promise((resolve) => {
    upload.on('event', (event) => event.type === 'completed' && event.server === 0 && resolve())
  })
}

async function stored(url: string, servers: readonly TestServer[]): Promise<string> {
  const server = servers.find(({ endpoint }) => url.startsWith(endpoint))
  const response = await fetch(`${server?.direct}/${url.slice(url.lastIndexOf('/') + 1)}`)
  expect(response.status).toBe(200)
  return sha256(new Uint8Array(await response.arrayBuffer()))
}

test('a home that dies when it has part of the file, and stays dead: with commitAt any the file is whole at a mirror', async () => {
  const servers = await threeServers()
  const [home, ...mirrors] = servers
  const bytes = randomBytes(12 * MB)
  const { upload, events } = uploadTo(servers, bytes, { commitAt: 'any', giveUpAfter: 5 })
  const homeHasSome = untilHomeHasSome(upload)
  const done = upload.start()
  await homeHasSome
  await home.stop()
  const { url } = await done
  expect(mirrors.some(({ endpoint }) => url.startsWith(`${endpoint}/`))).toBe(true)
  expect(await stored(url, mirrors)).toBe(sha256(bytes))
  expect(events.filter((event) => event.type === 'homeMoved')).toHaveLength(1)
  await home.restart()
  // who asks the home that was is told where the file is
  await expect
    .poll(async () => {
      const group = url.slice(url.lastIndexOf('/') + 1)
      const init = { method: 'HEAD', headers: { 'Tus-Resumable': '1.0.0' } }
      return (await fetch(`${home.direct}/${group}`, init)).headers.get('reconcile-upload')
    })
    .toBe(url)
})

test('a home that dies with the page that uploads: the next page has the rest of the file made whole at a mirror', async () => {
  const servers = await threeServers()
  const [home, ...mirrors] = servers
  const bytes = randomBytes(12 * MB)
  const entries = new Map<string, string>()
  const journal = {
    get: async (key: string) => entries.get(key),
    set: async (key: string, value: string) => void entries.set(key, value),
    delete: async (key: string) => void entries.delete(key),
  }
  const options = { commitAt: 'any', giveUpAfter: 2, journal, fingerprint: 'the file' } as const
  const { upload } = uploadTo(servers, bytes, options)
  const homeHasSome = untilHomeHasSome(upload)
  const leave = new AbortController()
  const left = upload.start({ signal: leave.signal }).catch((error: { code: string }) => error.code)
  await homeHasSome
  await home.stop()
  leave.abort()
  expect(await left).toBe('aborted')
  const { upload: next, events } = uploadTo(servers, bytes, options)
  const { url } = await next.start()
  expect(await stored(url, mirrors)).toBe(sha256(bytes))
  expect(events.filter((event) => event.type === 'started')).toMatchObject([{ resumed: true }])
  expect(events.filter((event) => event.type === 'homeMoved')).toHaveLength(1)
})

test('without commitAt the same upload ends with gave-up, and the next start makes the file at its home', async () => {
  const servers = await threeServers()
  const [home] = servers
  const bytes = randomBytes(6 * MB)
  const { upload, events } = uploadTo(servers, bytes, { giveUpAfter: 3 })
  const homeHasSome = untilHomeHasSome(upload)
  const failed = upload.start().catch((error: { code: string }) => error.code)
  await homeHasSome
  await home.stop()
  expect(await failed).toBe('gave-up')
  expect(events.some((event) => event.type === 'homeMoved')).toBe(false)
  await home.restart()
  const { url } = await upload.start()
  expect(url.startsWith(`${home.endpoint}/`)).toBe(true)
  expect(await stored(url, servers)).toBe(sha256(bytes))
})

test('a home that is restarted is waited for, and the mirrors take the file meanwhile', async () => {
  const servers = await threeServers()
  const [home, ...mirrors] = servers
  const bytes = randomBytes(12 * MB)
  const { upload, events } = uploadTo(servers, bytes, { giveUpAfter: 120 })
  const homeHasSome = untilHomeHasSome(upload)
  const done = upload.start()
  await homeHasSome
  await home.stop()
  const sentBefore = mirrors.map(({ link }) => link.counters.bodyBytesUp)
  const before = events.length
  // what is not the home's goes to the mirrors while it is away
  const atMirror = (event: LoggedEvent) => event.type === 'completed' && event.server !== 0
  await expect.poll(() => events.slice(before).some(atMirror)).toBe(true)
  expect(mirrors.some(({ link }, i) => link.counters.bodyBytesUp > (sentBefore[i] ?? 0))).toBe(true)
  await home.restart()
  const { url } = await done
  expect(url.startsWith(`${home.endpoint}/`)).toBe(true)
  expect(await stored(url, servers)).toBe(sha256(bytes))
})

test('a primary that is away from the start: with commitAt any a mirror is the home', async () => {
  const servers = await threeServers()
  const [home, ...mirrors] = servers
  await home.stop()
  const bytes = randomBytes(2 * MB)
  const { upload, events } = uploadTo(servers, bytes, { commitAt: 'any', giveUpAfter: 2 })
  const { url } = await upload.start()
  expect(await stored(url, mirrors)).toBe(sha256(bytes))
  const codes = events.flatMap((event) => (event.type === 'warning' ? [event.code] : []))
  expect(codes).toContain('home-elsewhere')
})

test('a primary whose address is dead from the start: the next page knows it by another address of its store', async () => {
  const started = await startReconcileServers({ count: 1, upBytesPerSecond: 4 * MB })
  cleanups.push(() => started.close())
  const [server] = started.servers
  if (!server) throw new Error('no server')
  const { endpoint, direct, link } = server
  const target = { host: '127.0.0.1', port: Number(new URL(direct).port) }
  const second = await openWireLink({ name: 'second address', target })
  cleanups.push(() => second.close())
  const other = `${second.origin}/files`
  const entries = new Map<string, string>()
  const journal = {
    get: async (key: string) => entries.get(key),
    set: async (key: string, value: string) => void entries.set(key, value),
    delete: async (key: string) => void entries.delete(key),
  }
  // another stack of another page knows nothing of its servers
  const onePage = () => ({
    ...{ endpoint, mirrors: [other], journal },
    httpStack: nodeClient().httpStack ?? new DefaultHttpStack({}),
  })
  await new AdaptiveUpload(randomBytes(MB), onePage()).start()
  link.refuse()
  const bytes = randomBytes(MB)
  const { url } = await new AdaptiveUpload(bytes, onePage()).start()
  expect(url.startsWith(`${other}/`)).toBe(true)
  expect(await stored(url, [{ ...server, endpoint: other }])).toBe(sha256(bytes))
})

test('servers that commit at the home alone are told of as a warning, and upload as ever', async () => {
  const started = await startReconcileServers({ count: 2 })
  cleanups.push(() => started.close())
  const bytes = randomBytes(MB)
  const { upload, events } = uploadTo(started.servers, bytes, { commitAt: 'any' })
  const { url } = await upload.start()
  expect(await stored(url, started.servers)).toBe(sha256(bytes))
  const codes = events.flatMap((event) => (event.type === 'warning' ? [event.code] : []))
  expect(codes).toContain('commit-at-primary')
})
