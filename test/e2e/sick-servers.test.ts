import { createHash, randomBytes } from 'node:crypto'
import { AdaptiveUpload, type LoggedEvent } from 'uppy-adaptive/upload'
import { afterEach, describe, expect, test } from 'vitest'
import { startReconcileServers, type TestServer, type TestServersOptions } from '../support/reconcile-servers.js'
import { nodeClient } from './node-client.js'

const MB = 1_000_000
const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function twoServers(options: Omit<TestServersOptions, 'count'>): Promise<[TestServer, TestServer]> {
  const started = await startReconcileServers({ count: 2, ...options })
  cleanups.push(() => started.close())
  const [home, mirror] = started.servers
  if (!home || !mirror) throw new Error('no servers')
  return [home, mirror]
}

function uploadTo([home, mirror]: readonly [TestServer, TestServer], bytes: Uint8Array) {
  const options = { ...nodeClient(), endpoint: home.endpoint, mirrors: [mirror.endpoint] }
  const upload = new AdaptiveUpload(bytes, options)
  const events: LoggedEvent[] = []
  upload.on('event', (event) => events.push(event))
  const until = (fits: (event: LoggedEvent) => boolean) =>
    new Promise<void>((resolve) => upload.on('event', (event) => fits(event) && resolve()))
  return { upload, events, until }
}

async function expectStored(home: TestServer, url: string, bytes: Uint8Array): Promise<void> {
  const answer = await fetch(`${home.direct}/${url.slice(url.lastIndexOf('/') + 1)}`)
  const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex')
  expect(sha256(new Uint8Array(await answer.arrayBuffer()))).toBe(sha256(bytes))
}

test('a mirror that fails whatever it is given is left alone ever longer, and taken again when it is well', async () => {
  let isSick = true
  const refusedAtMs: number[] = []
  const servers = await twoServers({
    upBytesPerSecond: MB,
    gate: (server, request, response) => {
      if (server !== 1 || !isSick || request.headers['upload-partition'] === undefined) return true
      refusedAtMs.push(performance.now())
      response.writeHead(500, { 'Tus-Resumable': '1.0.0', Connection: 'close' }).end('a fault of its own')
      return false
    },
  })
  const bytes = randomBytes(12 * MB)
  const { upload, events, until } = uploadTo(servers, bytes)
  const quarantined = until((event) => event.type === 'server' && event.quarantineMs === 2_000)
  const done = upload.start()
  await quarantined
  isSick = false
  const { url } = await done
  await expectStored(servers[0], url, bytes)
  const ofMirror = events.filter((event) => event.type === 'server' && event.server === 1)
  const quarantines = ofMirror.flatMap((event) =>
    event.type === 'server' && event.state === 'suspect' ? [event.quarantineMs ?? 0] : [],
  )
  expect(quarantines.slice(0, 3)).toEqual([0, 1_000, 2_000])
  // three requests each time
  expect(refusedAtMs.length).toBeLessThanOrEqual(9)
  const wellAt = events.findIndex((event) => event.type === 'server' && event.quarantineMs === 2_000)
  const later = events.slice(wellAt)
  expect(later).toContainEqual(expect.objectContaining({ type: 'server', server: 1, state: 'returned' }))
  expect(later).toContainEqual(expect.objectContaining({ type: 'acked', server: 1 }))
})

describe('servers that did not keep an upload as long as it was away', () => {
  /** Uploads some of the file, pauses until these servers have dropped it, and goes on. */
  async function away(o: { dropping: 'mirror' | 'all' }) {
    const servers = await twoServers({ upBytesPerSecond: 2 * MB, expireMs: 1_000 })
    const bytes = randomBytes(12 * MB)
    const { upload, events, until } = uploadTo(servers, bytes)
    const hasSome = Promise.all([
      until((event) => event.type === 'progress' && event.ackedBytes > 4 * MB),
      until((event) => event.type === 'completed' && event.server === 1),
    ])
    const done = upload.start()
    await hasSome
    await upload.pause()
    const pausedAt = events.length
    // a home tells its mirrors
    await expect.poll(() => servers[o.dropping === 'all' ? 0 : 1].cleanUp()).toBeGreaterThan(0)
    await upload.resume()
    const { url } = await done
    await expectStored(servers[0], url, bytes)
    return { events, pausedAt }
  }

  test('of a mirror that has dropped it, what it alone had is sent again, and the upload goes on', async () => {
    const { events, pausedAt } = await away({ dropping: 'mirror' })
    expect(events.filter((event) => event.type === 'started')).toHaveLength(1)
    const warnings = events.flatMap((event) => (event.type === 'warning' ? [event.code] : []))
    expect(warnings).toEqual(['mirror-expired'])
    const later = events.slice(pausedAt).filter((event) => event.type === 'session')
    expect(new Set(later.map(({ server }) => server))).toEqual(new Set([0]))
  })

  test('where all have dropped it, it begins anew, and progress does not go back', async () => {
    const { events, pausedAt } = await away({ dropping: 'all' })
    const begun = events.slice(pausedAt).filter((event) => event.type === 'started')
    expect(begun).toMatchObject([{ resumed: false }])
    const progress = events.flatMap((event) => (event.type === 'progress' ? [event.ackedBytes] : []))
    expect(progress).toEqual([...progress].sort((a, b) => a - b))
    expect(progress.at(-1)).toBe(12 * MB)
  })
})
