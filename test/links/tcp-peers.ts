import { createServer, type Server, Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { type Link, type LinkOptions, openLink } from '../support/links/index.js'

/** What one end of a TCP connection has seen; everything can be waited for. */
export class Peer {
  readonly socket: Socket
  receivedBytes = 0
  text = ''
  hasEnded = false
  /** How it closed: undefined while it has not. */
  closedWith: 'clean' | string | undefined
  readonly #waiting = new Set<() => void>()

  constructor(socket: Socket) {
    this.socket = socket
    let error: string | undefined
    socket.on('data', (bytes: Buffer) => {
      this.receivedBytes += bytes.length
      if (this.text.length < 10_000) this.text += bytes.toString('latin1')
      this.#changed()
    })
    socket.on('end', () => {
      this.hasEnded = true
      this.#changed()
    })
    socket.on('error', (cause: NodeJS.ErrnoException) => {
      error = cause.code ?? cause.message
    })
    socket.on('close', () => {
      this.closedWith = error ?? 'clean'
      this.#changed()
    })
    onTestFinished(() => void socket.destroy())
  }

  /** Settles once the condition holds; it is looked at whenever something has happened to this end. */
  until(condition: (peer: Peer) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!condition(this)) return
        this.#waiting.delete(look)
        resolve()
      }
      this.#waiting.add(look)
      look()
    })
  }

  /** Writes without end, as fast as the path takes it. */
  flood(chunkBytes = 16_384): void {
    const chunk = Buffer.alloc(chunkBytes)
    const fill = () => {
      while (this.socket.writable && this.socket.write(chunk)) {
        // until the kernel takes no more
      }
    }
    this.socket.on('drain', fill)
    fill()
  }

  /** Bytes that the kernel took from this end. */
  get handedOverBytes(): number {
    return this.socket.bytesWritten - this.socket.writableLength
  }

  #changed(): void {
    for (const look of [...this.#waiting]) look()
  }
}

export type PeerServer = {
  readonly target: { host: string; port: number }
  readonly peers: Peer[]
  /** The connection with that index, once it is there. */
  accepted(index?: number): Promise<Peer>
}

/** A TCP server on 127.0.0.1 that keeps what it accepts; `onPeer` may answer. Closed with the test. */
export async function openPeerServer(onPeer: (peer: Peer) => void = () => {}): Promise<PeerServer> {
  const peers: Peer[] = []
  const waiting = new Set<() => void>()
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const peer = new Peer(socket)
    peers.push(peer)
    onPeer(peer)
    for (const look of [...waiting]) look()
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return { target: { host: '127.0.0.1', port: portOf(server) }, peers, accepted }

  function accepted(index = 0): Promise<Peer> {
    return new Promise((resolve) => {
      const look = () => {
        const peer = peers[index]
        if (peer === undefined) return
        waiting.delete(look)
        resolve(peer)
      }
      waiting.add(look)
      look()
    })
  }
}

/** A server that sends back what it gets. */
export function openEchoServer(): Promise<PeerServer> {
  return openPeerServer(({ socket }) => void socket.on('data', (bytes) => void socket.write(bytes)))
}

/** Connects, or fails to. The kernel accepts for any listener, so this says nothing about the server behind a link. */
export async function connectPeer(link: { readonly port: number }): Promise<Peer> {
  const socket = new Socket({ allowHalfOpen: true })
  const peer = new Peer(socket)
  const connected = new Promise<void>((resolve) => void socket.once('connect', resolve).once('close', resolve))
  socket.connect({ port: link.port, host: '127.0.0.1', noDelay: true })
  await connected
  return peer
}

/** A link that is closed with the test. */
export async function openTestLink(options: Omit<LinkOptions, 'name'> & { name?: string }): Promise<Link> {
  const link = await openLink({ name: 'test', ...options })
  onTestFinished(() => link.close())
  return link
}

/** A round trip over a second, healthy link: as long as it takes, a silent one has had time to be caught talking. */
export async function roundTripElsewhere(): Promise<void> {
  const echo = await openEchoServer()
  const link = await openTestLink({ name: 'control', target: echo.target, delayMs: 20 })
  const peer = await connectPeer(link)
  peer.socket.write('ping')
  await peer.until(({ text }) => text === 'ping')
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}
