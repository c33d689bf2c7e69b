import { Socket } from 'node:net'
import type { KernelSockets } from './kernel-sockets.js'
import { Lane, type Parcel } from './lane.js'
import type { LinkMeter } from './link-counters.js'
import { parseRate } from './rate-schedule.js'
import { RequestObserver, type RequestObserverEvents } from './request-observer.js'
import type { Shaper } from './shaper.js'
import { TokenBucket } from './token-bucket.js'

/** What a connection knows of its link. */
export type ConnectionPath = {
  readonly target: { readonly host: string; readonly port: number }
  readonly up: DirectionPath
  readonly down: DirectionPath
  readonly meter: LinkMeter
  readonly kernel: KernelSockets
  readonly observer: RequestObserverEvents
  readonly perConnectionBytesPerSecond: number
  /** How long after now the first byte may leave. */
  readonly handshakeMs: number
  /** Delay of what departs now, ms. */
  readonly delayMs: () => number
  /** Whether the link and its last mile let anything through now. */
  readonly isOpen: () => boolean
}

export type DirectionPath = { readonly shaper: Shaper; readonly buckets: readonly TokenBucket[] }

/** How much Node may keep for a receiver whose kernel buffer is full, and for a reader that is paused. */
export const socketHighWaterMark: number = 4096

/**
 * One connection of a link: the accepted socket, the one to the server, and a lane each way. Whatever one side does
 * (connect, bytes, end, reset) becomes a parcel on a lane and happens to the other side when it gets there.
 */
export class Connection {
  /** Settles when both sockets are closed and nothing is left of the connection. */
  readonly closed: Promise<void>
  readonly #path: ConnectionPath
  readonly #client: Socket
  readonly #upstream: Socket
  readonly #up: Lane
  readonly #down: Lane
  readonly #buckets: { readonly up: TokenBucket; readonly down: TokenBucket }
  readonly #observer: RequestObserver
  #isSilent = false
  #openSockets = 2
  #settleClosed = (): void => {}

  constructor(client: Socket, path: ConnectionPath) {
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve
    })
    this.#path = path
    this.#client = client
    this.#upstream = createUpstream()
    this.#observer = new RequestObserver(path.observer)
    const rate = parseRate(path.perConnectionBytesPerSecond, 'perConnectionBytesPerSecond')
    const nowMs = performance.now()
    this.#buckets = { up: new TokenBucket(rate, nowMs), down: new TokenBucket(rate, nowMs) }
    this.#up = this.#createLane({ from: client, to: this.#upstream, direction: 'up' })
    this.#down = this.#createLane({ from: this.#upstream, to: client, direction: 'down' })
    this.#follow(client, { away: this.#up, towards: this.#down, keepQueuedOnReset: false })
    this.#follow(this.#upstream, { away: this.#down, towards: this.#up, keepQueuedOnReset: true })
    this.#up.connect()
  }

  /** From now on it carries nothing, and nobody is told. */
  silence(): void {
    this.#isSilent = true
  }

  /** Ends `silence`. */
  resume(): void {
    this.#isSilent = false
    this.#up.wake()
    this.#down.wake()
  }

  /** RST both ways, at once. */
  reset(): void {
    resetSocket(this.#client)
    resetSocket(this.#upstream)
  }

  /** Ends both sockets, at once. */
  destroy(): void {
    this.#client.destroy()
    this.#upstream.destroy()
  }

  setRate(bytesPerSecond: number): void {
    const rate = parseRate(bytesPerSecond, 'perConnectionBytesPerSecond')
    this.#buckets.up.setSchedule(rate, performance.now())
    this.#buckets.down.setSchedule(rate, performance.now())
  }

  #createLane({ from, to, direction }: { from: Socket; to: Socket; direction: 'up' | 'down' }): Lane {
    const path = this.#path
    return new Lane({
      shaper: path[direction].shaper,
      buckets: [this.#buckets[direction], ...path[direction].buckets],
      room: direction === 'up' ? path.meter.upRoom : path.meter.downRoom,
      heldUntilMs: performance.now() + path.handshakeMs,
      delayMs: path.delayMs,
      isOpen: () => !this.#isSilent && path.isOpen(),
      isReceiverReady: () => to.destroyed || to.writableLength < socketHighWaterMark,
      deliver: (parcel) => this.#deliver(parcel, { to, direction }),
      setReading: (isReading) => void (isReading ? from.resume() : from.pause()),
    })
  }

  #follow(socket: Socket, lanes: { away: Lane; towards: Lane; keepQueuedOnReset: boolean }): void {
    socket.on('data', (bytes: Buffer) => lanes.away.offer(bytes))
    socket.on('end', () => {
      // once our own FIN is out, an orderly end looks the same
      if (!socket.writableEnded && this.#path.kernel.wasReset(socket)) socket.destroy(new Error('reset'))
      else lanes.away.end()
    })
    socket.on('drain', () => lanes.towards.wake())
    // what went wrong is said by 'close'
    socket.on('error', () => {})
    socket.on('close', (hadError) => {
      if (hadError) lanes.away.reset({ keepQueued: lanes.keepQueuedOnReset })
      lanes.towards.wake()
      this.#openSockets -= 1
      if (this.#openSockets === 0) this.#close()
    })
  }

  #deliver(parcel: Parcel, { to, direction }: { to: Socket; direction: 'up' | 'down' }): void {
    if (to.destroyed || (to.writableEnded && parcel.kind !== 'reset')) return
    switch (parcel.kind) {
      case 'connect':
        connectTo(to, this.#path)
        return
      case 'bytes':
        if (direction === 'up') this.#countUp(parcel.bytes)
        else this.#path.meter.downBytes += parcel.bytes.length
        to.write(parcel.bytes)
        return
      case 'end':
        to.end()
        return
      case 'reset':
        resetSocket(to)
    }
  }

  #countUp(bytes: Buffer): void {
    this.#path.meter.upBytes += bytes.length
    this.#observer.push(bytes)
  }

  #close(): void {
    this.#up.close()
    this.#down.close()
    this.#settleClosed()
  }
}

function createUpstream(): Socket {
  const options = {
    allowHalfOpen: true,
    readableHighWaterMark: socketHighWaterMark,
    writableHighWaterMark: socketHighWaterMark,
  }
  return new Socket(options)
}

/** RST. libuv cannot while its shutdown (FIN) waits for a receiver that does not read: then it is an ordinary close. */
function resetSocket(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy()
  else socket.resetAndDestroy()
}

/** An explicit local address makes Node open the descriptor before 'connectionAttempt', so that it can be bounded. */
function connectTo(socket: Socket, { target, kernel, down }: ConnectionPath): void {
  const local = target.host === '127.0.0.1' ? { localAddress: '127.0.0.1' } : {}
  kernel.boundOutgoing(socket, Math.min(...down.buckets.map((bucket) => bucket.highestBytesPerSecond)))
  socket.connect({ ...target, ...local, noDelay: true })
}
