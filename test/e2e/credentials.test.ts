import { randomBytes } from 'node:crypto'
import Uppy from '@uppy/core'
import AdaptiveTus from 'uppy-adaptive'
import { AdaptiveUpload, type LoggedEvent, type UploadError } from 'uppy-adaptive/upload'
import { afterEach, expect, it } from 'vitest'
import { startReconcileServers } from '../support/reconcile-servers.js'
import { nodeClient } from './node-client.js'

const MB = 1_000_000
const TUS = { 'Tus-Resumable': '1.0.0' }
const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A primary that takes each token for so many requests, and mirrors that ask for none. */
async function expiringServers(o: { lifetime: (token: string) => number; count: number }) {
  const uses = new Map<string, number>()
  const refused: string[] = []
  let isOpen = false
  const started = await startReconcileServers({
    count: o.count,
    upBytesPerSecond: 6 * MB,
    gate: (server, request, response) => {
      const token = request.headers.authorization ?? ''
      // the test's own questions have no token
      if (!isOpen || server !== 0 || request.method === 'OPTIONS' || request.headers['tus-resumable'] === undefined)
        return true
      const used = uses.get(token) ?? 0
      uses.set(token, used + 1)
      if (used < o.lifetime(token)) return true
      refused.push(token)
      response.writeHead(401, { ...TUS, Connection: 'close' }).end('the token has expired')
      return false
    },
  })
  isOpen = true
  cleanups.push(started.close)
  return { servers: started.servers, options: nodeClient(), refused }
}

it('goes on when its token expires in mid-upload, asks for another once, and mirrors carry on meanwhile', async () => {
  const { servers, options, refused } = await expiringServers({
    lifetime: (given) => (given === 'Bearer 0' ? 5 : 1_000),
    count: 2,
  })
  const [primary, mirror] = servers
  let token = 0
  let asked = 0
  let isMirrorAcked = Promise.resolve<unknown>(undefined)
  const file = randomBytes(12 * MB)
  const upload = new AdaptiveUpload(file, {
    ...options,
    endpoint: primary?.endpoint ?? '',
    mirrors: [{ endpoint: mirror?.endpoint ?? '' }],
    headers: async (request) => {
      if (request.refused) {
        asked += 1
        await isMirrorAcked
        token += 1
      }
      return { Authorization: `Bearer ${token}` }
    },
  })
  const events: LoggedEvent[] = []
  isMirrorAcked = new Promise((resolve) => {
    upload.on('event', (event) => {
      events.push(event)
      if (event.type === 'acked' && event.server === 1 && refused.length > 0) resolve(undefined)
    })
  })
  const result = await upload.start()
  const stored = await fetch(`${primary?.direct}/${result.url.slice(result.url.lastIndexOf('/') + 1)}`, {
    headers: { Authorization: 'Bearer of the test' },
  })
  expect(Buffer.from(await stored.arrayBuffer()).equals(file)).toBe(true)
  // asked once, and only requests that were under way are refused besides
  expect(asked).toBe(1)
  expect(refused.length).toBeLessThanOrEqual(6)
  expect(events.filter((event) => event.type === 'server' && event.state !== 'ready')).toEqual([])
})

it('ends with what to do when the same credentials are refused again, and goes on from there once they are good', async () => {
  const { servers, options, refused } = await expiringServers({
    lifetime: (token) => (token === 'first' ? 4 : 1_000),
    count: 1,
  })
  const [primary] = servers
  let token = 'first'
  const file = randomBytes(6 * MB)
  const upload = new AdaptiveUpload(file, {
    ...options,
    endpoint: primary?.endpoint ?? '',
    headers: () => ({ Authorization: token }),
  })
  const error = await upload.start().then(
    () => undefined,
    (failure: UploadError) => failure,
  )
  expect(error).toMatchObject({ code: 'refused', status: 401 })
  expect(refused.length).toBeLessThanOrEqual(12)
  token = 'renewed'
  const { url } = await upload.start()
  const stored = await fetch(`${primary?.direct}/${url.slice(url.lastIndexOf('/') + 1)}`)
  expect(Buffer.from(await stored.arrayBuffer()).equals(file)).toBe(true)
})

it('asks the plugin’s headers function for each request of a file, and for others when the token expires', async () => {
  const { servers, options, refused } = await expiringServers({
    lifetime: (token) => (token === 'Bearer 0 of film.mp4' ? 1 : 1_000),
    count: 1,
  })
  const [primary] = servers
  let token = 0
  const uppy = new Uppy().use(AdaptiveTus, {
    ...options,
    endpoint: primary?.endpoint ?? '',
    headers: async (file, request) => {
      if (request.refused?.status === 401) token += 1
      return { Authorization: `Bearer ${token} of ${file.name}` }
    },
  })
  cleanups.push(async () => uppy.destroy())
  const file = randomBytes(6 * MB)
  uppy.addFile({ name: 'film.mp4', type: 'video/mp4', data: new Blob([file]) })
  const result = await uppy.upload()
  const url = result?.successful?.[0]?.uploadURL ?? ''
  const stored = await fetch(`${primary?.direct}/${url.slice(url.lastIndexOf('/') + 1)}`)
  expect(Buffer.from(await stored.arrayBuffer()).equals(file)).toBe(true)
  expect([token, refused.length > 0]).toEqual([1, true])
})
