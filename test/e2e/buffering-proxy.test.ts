import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'
import { AdaptiveUpload, type AdaptiveUploadOptions, type LoggedEvent } from 'uppy-adaptive/upload'
import { afterEach, describe, expect, it } from 'vitest'
import { type Link, openLink } from '../support/links/index.js'
import { hasNginx, NO_NGINX, startWireNginx } from '../support/nginx.js'
import { startReconcileServers } from '../support/reconcile-servers.js'
import { wireProtocol } from '../support/wire-protocol.js'
import { nodeClient } from './node-client.js'

const MB = 1_000_000
const found = await hasNginx()
if (!found) console.error(`SKIPPED: ${NO_NGINX}`)

const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** As nginx is unless told otherwise: it takes a request's whole body before it tells the server of the request. */
const DIRECTIVES = 'client_max_body_size 0; proxy_request_buffering on;'

/** A link of 1.5 MB/s, nginx that buffers, and behind it a server at this address. */
async function behindNginx(direct: string): Promise<{ link: Link; options: AdaptiveUploadOptions }> {
  const directory = await folder()
  const upstreamPort = Number(new URL(direct).port)
  const nginx = await startWireNginx({ directory, upstreamPort, directives: DIRECTIVES })
  cleanups.push(() => nginx.close())
  const target = { host: '127.0.0.1', port: nginx.port }
  const link = await openLink({ name: 'to nginx', target, upBytesPerSecond: 1.5 * MB, delayMs: 10 })
  cleanups.push(() => link.close())
  return { link, options: { ...nodeClient(), endpoint: `${nginx.scheme}://127.0.0.1:${link.port}/files` } }
}

async function folder(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'buffering-test-'))
  cleanups.push(() => rm(directory, { recursive: true, force: true }))
  return directory
}

async function reconcileServer(): Promise<string> {
  const { servers, close } = await startReconcileServers({ count: 1, protocol: 'h1' })
  cleanups.push(close)
  return servers[0]?.direct ?? ''
}

async function plainServer(): Promise<string> {
  const tus = new Server({
    path: '/files',
    datastore: new FileStore({ directory: await folder() }),
    respectForwardedHeaders: true,
  })
  const http = createServer((request, response) => void tus.handle(request, response))
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', () => resolve()))
  cleanups.push(async () => {
    http.closeAllConnections()
    await new Promise((resolve) => http.close(resolve))
  })
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}/files`
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

async function storedSha256(direct: string, url: string): Promise<string> {
  const answer = await fetch(`${direct}/${url.slice(url.lastIndexOf('/') + 1)}`)
  return sha256(new Uint8Array(await answer.arrayBuffer()))
}

function recorded(upload: AdaptiveUpload): LoggedEvent[] {
  const events: LoggedEvent[] = []
  upload.on('event', (event) => events.push(event))
  return events
}

function ofType<T extends LoggedEvent['type']>(events: LoggedEvent[], type: T) {
  return events.filter((event): event is Extract<LoggedEvent, { type: T }> => event.type === type)
}

describe.skipIf(!found)('behind an nginx that tells the server of no body before it is whole', () => {
  it('a reconcile server gets smaller bodies as soon as nothing was kept of one', async () => {
    const direct = await reconcileServer()
    const { options } = await behindNginx(direct)
    const data = randomBytes(20 * MB)
    const upload = new AdaptiveUpload(data, options)
    const events = recorded(upload)
    const { url } = await upload.start()
    expect(await storedSha256(direct, url)).toBe(sha256(data))
    const [shrunk] = ofType(events, 'shrunk')
    const [given, ...later] = ofType(events, 'reconnect')
    // nothing is acknowledged for longer than any server takes
    expect(given?.reason).toContain('silent')
    expect(shrunk?.maxBodyBytes).toBe(1024 * 1024)
    expect(later.filter(({ n }) => n < (shrunk?.n ?? 0))).toEqual([])
  })

  // over HTTP/2 nobody gives a connection up by ending what it carries
  it.runIf(wireProtocol === 'h1')(
    'a plain server that has nothing of a PATCH that was given up gets smaller ones',
    async () => {
      const direct = await plainServer()
      const { link, options } = await behindNginx(direct)
      const data = randomBytes(20 * MB)
      const upload = new AdaptiveUpload(data, options)
      const events = recorded(upload)
      const off = upload.on('event', (event) => {
        if (event.type !== 'progress' || event.ackedBytes < 10 * MB) return
        off()
        link.stallConnections()
      })
      const { url } = await upload.start()
      expect(await storedSha256(direct, url)).toBe(sha256(data))
      expect(ofType(events, 'reconnect')[0]?.remedy).toBe('freshConnection')
      const [first, second] = ofType(events, 'session')
      expect([first?.start, first?.end, second?.start]).toEqual([0, data.length, 0])
      expect(second?.end).toBeLessThanOrEqual(data.length / 2)
    },
  )
})
