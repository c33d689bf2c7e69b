import type { Readable } from 'node:stream'
import { ByteRun } from '../groups/byte-run.js'
import type { TusRequest } from '../tus-request.js'

/** `changed`: `poke` was called. `stalled`: no byte for too long. `cut`: the connection broke off in mid-body. */
export type BodyRead =
  | { readonly kind: 'bytes'; readonly bytes: ByteRun }
  | { readonly kind: 'end' }
  | { readonly kind: 'cut' }
  | { readonly kind: 'stalled' }
  | { readonly kind: 'changed' }

/** A request's body, pulled piece by piece: little is read ahead of the disk, and a pending read can be woken. */
export interface RequestBody {
  read(timeoutMs: number): Promise<BodyRead>
  /** Wakes the pending read, or the next one. */
  poke(): void
  /** Everything has arrived here, read or not: the connection can be used again. */
  isComplete(): boolean
  /** Nobody reads any more: what still comes is whoever's who has the request. A pending read ends as `cut`. */
  release(): void
}

export function requestBody(req: TusRequest): RequestBody {
  const incoming = req.runtime?.node?.req
  // Readable.toWeb buffers thousands of chunks ahead of its reader; Node's own stream keeps back-pressure
  if (incoming) return new NodeBody(incoming)
  return new WebBody(req)
}

export function hasBody(req: TusRequest): boolean {
  return Number(req.headers.get('content-length') ?? 0) > 0 || req.headers.get('transfer-encoding') !== null
}

/** `undefined` where the length is not announced. */
export function announcedLength(req: TusRequest): number | undefined {
  const text = req.headers.get('content-length')
  if (text !== null && /^\d{1,15}$/.test(text)) return Number(text)
  return hasBody(req) ? undefined : 0
}

/**
 * As `announcedLength`, and 0 for a body that has no type and ends before its first byte: what has no body in HTTP/2
 * may come through a proxy as a chunked body without bytes. A body without a type is of no use, so that one may be read.
 */
export async function sentLength(req: TusRequest, body: RequestBody, timeoutMs: number): Promise<number | undefined> {
  const length = announcedLength(req)
  if (length !== undefined || req.headers.get('content-type') !== null) return length
  return (await body.read(timeoutMs)).kind === 'end' ? 0 : undefined
}

/** What `poke` and timers wake. */
class Waker {
  #poked = false
  #wake: ((kind: 'changed' | 'stalled' | 'event') => void) | undefined

  poke(): void {
    if (this.#wake) this.#wake('changed')
    else this.#poked = true
  }

  event(): void {
    this.#wake?.('event')
  }

  takePoke(): boolean {
    const poked = this.#poked
    this.#poked = false
    return poked
  }

  wait(timeoutMs: number): Promise<'changed' | 'stalled' | 'event'> {
    return new Promise((resolve) => {
      const wake = (kind: 'changed' | 'stalled' | 'event') => {
        clearTimeout(timer)
        this.#wake = undefined
        resolve(kind)
      }
      // what came while this process was busy elsewhere is read first: that time is not the sender's
      const late = () => setImmediate(() => this.#wake === wake && wake('stalled'))
      const timer = setTimeout(late, timeoutMs)
      this.#wake = wake
    })
  }
}

const BODY_EVENTS = ['readable', 'end', 'close', 'error'] as const

/** An HTTP/1 or HTTP/2 request of Node's. */
type Incoming = Readable & { readonly complete: boolean }

/**
 * Read while the disk writes what came before, so that a piece is large where the sender is fast: a write costs nearly
 * the same for 64 KiB and for a block (measured with `npm run bench:server -- --only throughput`). A piece that does not
 * fit on the disk is lost whole.
 */
const READ_AHEAD_BYTES = 256 * 1024

/** How long less than that waits for more: each piece costs as much as hashing 100 KiB, acknowledgements come each 100 ms. */
const GATHER_MS = 4

class NodeBody implements RequestBody {
  readonly #req: Incoming
  readonly #waker = new Waker()
  /** Read from the request and not yet handed on. */
  #ahead: Uint8Array[] = []
  #aheadBytes = 0
  /** Since when there are some. */
  #aheadSinceMs = 0
  readonly #onEvent: () => void = () => {
    if (this.#isWanted) this.#gather()
    this.#waker.event()
  }
  /** Nothing is taken from the socket for a body that is refused before anybody reads it. */
  #isWanted = false
  #isReleased = false

  constructor(req: Incoming) {
    this.#req = req
    for (const event of BODY_EVENTS) req.on(event, this.#onEvent)
  }

  async read(timeoutMs: number): Promise<BodyRead> {
    this.#isWanted = true
    for (;;) {
      if (this.#isReleased) return { kind: 'cut' }
      if (this.#waker.takePoke()) return { kind: 'changed' }
      this.#gather()
      const isOver = this.#req.readableEnded || this.#req.destroyed
      const leftMs = this.#aheadBytes > 0 ? this.#gatherMs() : timeoutMs
      if (this.#aheadBytes > 0 && (isOver || leftMs <= 0)) return { kind: 'bytes', bytes: this.#takeAhead() }
      if (isOver) return { kind: this.#req.readableEnded && this.#req.complete ? 'end' : 'cut' }
      const woken = await this.#waker.wait(leftMs)
      if (woken === 'changed' || (woken === 'stalled' && this.#aheadBytes === 0)) return { kind: woken }
    }
  }

  poke(): void {
    this.#waker.poke()
  }

  isComplete(): boolean {
    return this.#req.complete
  }

  release(): void {
    // an error may still come, of which nobody else may hear
    for (const event of BODY_EVENTS) if (event !== 'error') this.#req.off(event, this.#onEvent)
    this.#isReleased = true
    this.#isWanted = false
    this.#waker.event()
  }

  #gather(): void {
    while (this.#aheadBytes < READ_AHEAD_BYTES) {
      const bytes: unknown = this.#req.read()
      if (!(bytes instanceof Uint8Array)) return
      if (this.#aheadBytes === 0) this.#aheadSinceMs = performance.now()
      this.#ahead.push(bytes)
      this.#aheadBytes += bytes.length
    }
  }

  /** How long what is there still waits for more. */
  #gatherMs(): number {
    return this.#aheadBytes < READ_AHEAD_BYTES ? this.#aheadSinceMs + GATHER_MS - performance.now() : 0
  }

  #takeAhead(): ByteRun {
    const bytes = new ByteRun(this.#ahead)
    this.#ahead = []
    this.#aheadBytes = 0
    return bytes
  }
}

class WebBody implements RequestBody {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  readonly #announced: number | undefined
  readonly #waker = new Waker()
  #pending: Promise<void> | undefined
  #arrived: BodyRead | undefined
  #bytes = 0
  #ended = false

  constructor(req: TusRequest) {
    this.#reader = req.body?.getReader()
    this.#announced = announcedLength(req)
  }

  async read(timeoutMs: number): Promise<BodyRead> {
    if (this.#waker.takePoke()) return { kind: 'changed' }
    if (!this.#reader || this.#ended) return { kind: 'end' }
    this.#pending ??= this.#pull(this.#reader)
    const woken = this.#arrived ? 'event' : await this.#waker.wait(timeoutMs)
    if (woken !== 'event') return { kind: woken }
    const read = this.#arrived ?? { kind: 'cut' }
    this.#arrived = undefined
    return read
  }

  poke(): void {
    this.#waker.poke()
  }

  isComplete(): boolean {
    return this.#ended || !this.#reader
  }

  release(): void {
    this.#reader?.releaseLock()
  }

  async #pull(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    this.#arrived = await reader.read().then(
      ({ done, value }): BodyRead => {
        if (!done) return { kind: 'bytes', bytes: new ByteRun([value]) }
        this.#ended = true
        return { kind: this.#announced !== undefined && this.#bytes < this.#announced ? 'cut' : 'end' }
      },
      (): BodyRead => ({ kind: 'cut' }),
    )
    if (this.#arrived.kind === 'bytes') this.#bytes += this.#arrived.bytes.length
    this.#pending = undefined
    this.#waker.event()
  }
}
