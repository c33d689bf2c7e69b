import { connect, createServer, type Server, type Socket } from 'node:net'
import { portOf } from './ports.js'
import { type RequestHead, RequestReader } from './request-reader.js'

/** Follows one request that passes a tap. */
export interface RequestFollower {
  readonly onBody?: (piece: Uint8Array) => void
  /** `broken`: its connection ended first. */
  readonly onEnd?: (how: 'whole' | 'broken') => void
}

export interface Tap {
  readonly port: number
  close(): Promise<void>
}

/** Small: what a tap holds is not on any link. */
const HIGH_WATER_MARK = 16_384

/**
 * A pass-through between a link and its server, which reads requests along. It adds no rate and no delay; an end or a
 * reset on one side is one on the other.
 */
export async function openTap(
  targetPort: number,
  onRequest: (head: RequestHead) => RequestFollower | undefined,
): Promise<Tap> {
  const sockets = new Set<Socket>()
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true, highWaterMark: HIGH_WATER_MARK })
  server.on('connection', (client) => {
    const options = { port: targetPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true }
    const upstream = connect(options)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
    }
    join(client, upstream, follow(onRequest))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const close = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve))
    for (const socket of sockets) socket.destroy()
    await closed
  }
  return { port: portOf(server), close }
}

function join(client: Socket, upstream: Socket, reader: { push: (bytes: Buffer) => void; end: () => void }): void {
  pass(client, upstream, (bytes) => reader.push(bytes))
  pass(upstream, client, () => {})
  client.on('close', () => reader.end())
  upstream.on('close', () => reader.end())
}

function pass(from: Socket, to: Socket, look: (bytes: Buffer) => void): void {
  from.on('data', (bytes: Buffer) => {
    look(bytes)
    if (!to.write(bytes)) from.pause()
  })
  to.on('drain', () => from.resume())
  from.on('end', () => to.end())
  // a reset, or a server that is gone: the other side learns it as one
  from.on('error', () => to.resetAndDestroy())
}

/** One follower at a time: HTTP/1.1 requests of a connection come one after another. */
function follow(onRequest: (head: RequestHead) => RequestFollower | undefined): {
  push: (bytes: Buffer) => void
  end: () => void
} {
  let current: RequestFollower | undefined
  const reader = new RequestReader({
    onHead: (head) => {
      current = onRequest(head)
    },
    onBody: (piece) => current?.onBody?.(piece),
    onEnd: () => finish('whole'),
  })
  function finish(how: 'whole' | 'broken'): void {
    const ended = current
    current = undefined
    ended?.onEnd?.(how)
  }
  return { push: (bytes) => reader.push(bytes), end: () => finish('broken') }
}
