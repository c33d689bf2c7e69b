import { createServer, type Server, type Socket } from 'node:net'
import { Connection, type ConnectionPath, type DirectionPath, socketHighWaterMark } from './connection.js'
import { type KernelSockets, loadKernelSockets } from './kernel-sockets.js'
import { type LinkCounters, LinkMeter } from './link-counters.js'
import {
  checkRange,
  type LinkOptions,
  type LinkSettings,
  type ResolvedLinkOptions,
  resolveLinkOptions,
} from './link-options.js'
import { parseRate, type RateStep } from './rate-schedule.js'
import { RatedPath } from './rated-path.js'
import type { ObservedRequest, RequestObserverEvents } from './request-observer.js'
import { seededRandom } from './seeded-random.js'
import { Shaper } from './shaper.js'
import { openTlsFront, type TlsFront } from './tls-front.js'

/** What the link does with bytes and connections. */
export type LinkState = 'open' | 'stalled' | 'blackHole' | 'refusing'

type Parts = { readonly options: ResolvedLinkOptions; readonly kernel: KernelSockets }

/**
 * Opens a link: a TCP proxy on 127.0.0.1 with a rate, a delay and a small queue each way, and switches for what goes
 * wrong on a network. A new connection waits one round trip (the handshake), then its bytes go through the rates
 * (connection, link, last mile), then they travel `delayMs`, in order. Whatever speaks TCP passes, only the HTTP
 * counters need HTTP/1.1 in the clear, or `tls`: then TLS and HTTP/2 end between the link and the server.
 *
 * @throws RangeError for an option out of range; the system's error when the port is taken
 */
export async function openLink(options: LinkOptions): Promise<Link> {
  const link = new Link({ options: resolveLinkOptions(options), kernel: await loadKernelSockets() })
  await link.listen()
  return link
}

export class Link {
  readonly name: string
  readonly #options: ResolvedLinkOptions
  readonly #kernel: KernelSockets
  readonly #path: RatedPath
  readonly #directions: { readonly up: DirectionPath; readonly down: DirectionPath }
  readonly #meter: LinkMeter
  readonly #random: () => number
  readonly #server: Server
  readonly #connections = new Set<Connection>()
  readonly #listeners = new Set<(request: ObservedRequest) => void>()
  #settings: { delayMs: number; perConnectionBytesPerSecond: number }
  #state: LinkState = 'open'
  #front: TlsFront | undefined

  /** Use `openLink`. */
  constructor({ options, kernel }: Parts) {
    this.name = options.name
    this.#options = options
    this.#kernel = kernel
    this.#settings = { delayMs: options.delayMs, perConnectionBytesPerSecond: options.perConnectionBytesPerSecond }
    this.#path = new RatedPath(options)
    this.#directions = { up: this.#createDirection('up'), down: this.#createDirection('down') }
    this.#meter = new LinkMeter(options.queueBytes)
    this.#random = seededRandom(options.seed)
    const serverOptions = { allowHalfOpen: true, noDelay: true, highWaterMark: socketHighWaterMark }
    this.#server = createServer(serverOptions, (socket) => this.#accept(socket))
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /** `http://127.0.0.1:PORT`, or with https. */
  get origin(): string {
    return `${this.#options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${this.port}`
  }

  get state(): LinkState {
    return this.#state
  }

  /** The instant, on the clock of `performance.now()`, that `rateHistory` and the steps of its rates count from. */
  get startedAtMs(): number {
    return this.#path.startedAtMs
  }

  /**
   * The up-rate that was in force since the start, 0 while stalled, black-holed or refusing; ms since `startedAtMs`, up
   * to now. The last mile's rate and the rate per connection are not in it.
   */
  get rateHistory(): RateStep[] {
    return this.#path.rateHistory
  }

  get counters(): LinkCounters {
    return this.#meter.snapshot(this.#connections.size)
  }

  /** Calls back for each request whose last byte has left the link towards the server. Returns what ends that. */
  on(_event: 'request', listener: (request: ObservedRequest) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** New settings, at once; what is left out stays. */
  set(settings: LinkSettings): void {
    const merged = { ...this.#settings, ...settings }
    checkRange({ ...merged, name: this.name }, 'delayMs', { most: 3_600_000 })
    parseRate(merged.perConnectionBytesPerSecond, 'perConnectionBytesPerSecond')
    this.#path.set(settings)
    this.#settings = { delayMs: merged.delayMs, perConnectionBytesPerSecond: merged.perConnectionBytesPerSecond }
    for (const connection of this.#connections) connection.setRate(merged.perConnectionBytesPerSecond)
    this.#boundListener()
    this.#wake()
  }

  /** Every connection, also new ones, carries nothing from now on, and nobody is told; until `resume`. */
  stall(): void {
    this.#enter('stalled')
  }

  /** Only the connections open now carry nothing any more, until `resume`; new ones work. */
  stallConnections(): void {
    for (const connection of this.#connections) connection.silence()
  }

  /** Ends `stall` and `stallConnections`: bytes go on where they stopped. */
  resume(): void {
    for (const connection of this.#connections) connection.resume()
    if (this.#state === 'stalled') this.#enter('open')
  }

  /** RST to both sides of every open connection; new ones work. */
  reset(): void {
    for (const connection of [...this.#connections]) connection.reset()
  }

  /**
   * The proxy that ends TLS is reloaded: GOAWAY on every HTTP/2 connection. What runs there goes on, then it closes, and
   * new requests need a new connection. Without `tls` nothing happens.
   */
  drain(): void {
    this.#front?.drain()
  }

  /** Nothing gets through any more: bytes, ends and resets stay where they are, new connections hang; until `restore`. */
  blackHole(): void {
    this.#enter('blackHole')
  }

  /** The server is gone: open connections are reset now and new ones as soon as they are accepted; until `restore`. */
  refuse(): void {
    this.#enter('refusing')
    this.reset()
  }

  /** Ends `blackHole` (held connections go on where they stopped) and `refuse`. */
  restore(): void {
    if (this.#state === 'blackHole' || this.#state === 'refusing') this.#enter('open')
  }

  /** Closes the listener and every socket; settles when nothing is left. May be called again. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()))
    const connections = [...this.#connections]
    for (const connection of connections) connection.destroy()
    await Promise.all([closed, ...connections.map((connection) => connection.closed), this.#front?.close()])
  }

  /** Use `openLink`. */
  async listen(): Promise<void> {
    const { tls, target } = this.#options
    if (tls !== undefined) {
      const onHttp2Connection = () => {
        this.#meter.http2Connections += 1
      }
      this.#front = await openTlsFront({ ...tls, target, observer: this.#createObserver(), onHttp2Connection })
    }
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ host: '127.0.0.1', port: this.#options.port }, () => resolve())
    })
    this.#boundListener()
  }

  #boundListener(): void {
    const rates = this.#directions.up.buckets.map((bucket) => bucket.highestBytesPerSecond)
    this.#kernel.boundListener(this.#server, Math.min(...rates))
  }

  #createDirection(direction: 'up' | 'down'): DirectionPath {
    const own = this.#path[direction]
    const shared = this.#options.lastMile?.shared
    if (shared === undefined) return { shaper: new Shaper(own, this.#options.discipline), buckets: [own] }
    return { shaper: shared[direction], buckets: [own, shared.path[direction]] }
  }

  #accept(socket: Socket): void {
    this.#meter.connections += 1
    if (this.#state === 'refusing') {
      socket.on('error', () => {})
      socket.resetAndDestroy()
      return
    }
    const connection = new Connection(socket, this.#createConnectionPath())
    this.#connections.add(connection)
    void connection.closed.then(() => this.#connections.delete(connection))
  }

  #createConnectionPath(): ConnectionPath {
    return {
      ...this.#directions,
      target: this.#front === undefined ? this.#options.target : { host: '127.0.0.1', port: this.#front.port },
      meter: this.#meter,
      kernel: this.#kernel,
      // where TLS ends, requests are seen behind it
      observer: this.#front === undefined ? this.#createObserver() : {},
      perConnectionBytesPerSecond: this.#settings.perConnectionBytesPerSecond,
      handshakeMs: 2 * this.#settings.delayMs * this.#options.connectRoundTrips,
      delayMs: () => this.#settings.delayMs + this.#options.jitterMs * this.#random(),
      isOpen: () => this.#state === 'open' && this.#options.lastMile?.isCut !== true,
    }
  }

  #createObserver(): RequestObserverEvents {
    return {
      onHead: (request) => this.#meter.countHead(request),
      onBody: (request, bytes) => this.#meter.countBody(request, bytes),
      onRequest: (request) => {
        for (const listener of [...this.#listeners]) listener(request)
      },
    }
  }

  #enter(state: LinkState): void {
    this.#state = state
    this.#path.recordOpen(state === 'open')
    if (state === 'open') this.#wake()
  }

  #wake(): void {
    this.#directions.up.shaper.wakeAll()
    this.#directions.down.shaper.wakeAll()
  }
}
