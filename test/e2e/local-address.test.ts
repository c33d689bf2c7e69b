import { createHash, randomBytes } from 'node:crypto'
import { connect, createServer, type Socket } from 'node:net'
import { DefaultHttpStack } from 'tus-js-client'
import { AdaptiveUpload, type LoggedEvent } from 'uppy-adaptive/upload'
import { afterEach, describe, expect, it } from 'vitest'
import { type Link, openLink } from '../support/links/link.js'
import { startReconcileServers } from '../support/reconcile-servers.js'

const MB = 1_000_000
/** Another address of this machine's loopback: Linux has all of 127.0.0.0/8. */
const OTHER_ADDRESS = '127.0.0.2'
const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** One address of a server that clients reach by one link or the other, by where they come from. */
async function openFront(links: { readonly usual: Link; readonly other: Link }): Promise<string> {
  const open = new Set<Socket>()
  const front = createServer((client) => {
    const { port } = new URL((client.remoteAddress === OTHER_ADDRESS ? links.other : links.usual).origin)
    const upstream = connect({ host: '127.0.0.1', port: Number(port) })
    client.pipe(upstream).pipe(client)
    for (const [one, another] of [[client, upstream] as const, [upstream, client] as const]) {
      open.add(one)
      // the other end hears of it by its own 'close'
      one
        .on('error', () => {})
        .on('close', () => {
          open.delete(one)
          another.destroy()
        })
    }
  })
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => {
    for (const socket of open) socket.destroy()
    return new Promise((resolve) => front.close(resolve))
  })
  const address = front.address()
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  return `http://127.0.0.1:${address.port}/files`
}

/** A server at one address, two ways to it, and an upload that knows of both. */
async function twoWays(file: Uint8Array) {
  const started = await startReconcileServers({ count: 1 })
  cleanups.push(() => started.close())
  const [server] = started.servers
  const target = { host: '127.0.0.1', port: Number(new URL(server?.direct ?? '').port) }
  const opened = (name: string) => openLink({ name, target, upBytesPerSecond: 2 * MB })
  const [usual, other] = await Promise.all([opened('usual way'), opened('other way')])
  cleanups.push(() => Promise.all([usual.close(), other.close()]))
  const endpoint = await openFront({ usual, other })
  const upload = new AdaptiveUpload(file, { endpoint, mirrors: [{ endpoint, localAddress: OTHER_ADDRESS }] })
  const events: LoggedEvent[] = []
  upload.on('event', (event) => events.push(event))
  const storedSha256 = async (url: string) => {
    const stored = await fetch(`${server?.direct}/${url.slice(url.lastIndexOf('/') + 1)}`)
    return sha256(new Uint8Array(await stored.arrayBuffer()))
  }
  return { usual, other, endpoint, upload, events, storedSha256 }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

describe.skipIf(process.platform !== 'linux')('another address of this machine', () => {
  it('is gone on by when nothing comes by the usual one, with the same sessions', async () => {
    const file = randomBytes(10 * MB)
    const { usual, other, endpoint, upload, events, storedSha256 } = await twoWays(file)
    upload.on('event', (event) => {
      if (event.type === 'progress' && event.ackedBytes > 3 * MB) usual.stall()
    })
    const { url } = await upload.start()
    expect(await storedSha256(url)).toBe(sha256(file))
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'route', from: endpoint, endpoint: `${endpoint} from ${OTHER_ADDRESS}` }),
    )
    expect(events.some((event) => event.type === 'reconnect' && event.remedy === 'otherRoute')).toBe(true)
    expect(events.filter(({ type }) => type === 'warning' || type === 'copy' || type === 'takeOver')).toEqual([])
    // what had come by the usual way is not sent again
    expect(other.counters.bodyBytesUp).toBeLessThan(8 * MB)
  })

  it('is begun by where nothing comes by the usual one from the start', async () => {
    const file = randomBytes(2 * MB)
    const { usual, upload, storedSha256 } = await twoWays(file)
    usual.stall()
    const { url } = await upload.start()
    expect(await storedSha256(url)).toBe(sha256(file))
  })
})

it.each(['list', 'function'])('is refused beside a stack of the application’s own, given as a %s', async (form) => {
  const endpoint = 'http://127.0.0.1:9/files'
  const mirrors = [{ endpoint, localAddress: OTHER_ADDRESS }]
  const upload = new AdaptiveUpload(randomBytes(10), {
    ...{ endpoint, httpStack: new DefaultHttpStack({}) },
    mirrors: form === 'list' ? mirrors : () => mirrors,
  })
  await expect(upload.start()).rejects.toMatchObject({ code: 'bad-option' })
})
