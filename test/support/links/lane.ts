import { Alarm } from './alarm.js'
import { ByteQueue } from './byte-queue.js'
import type { QueueRoom } from './queue-room.js'
import type { Flow, Shaper } from './shaper.js'
import type { TokenBucket } from './token-bucket.js'

/** What travels along a lane, in this order of events: a connection's setup, its bytes, its end or its reset. */
export type Parcel =
  | { readonly kind: 'connect' }
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  | { readonly kind: 'end' }
  | { readonly kind: 'reset' }

export type LaneOptions = {
  readonly shaper: Shaper
  readonly buckets: readonly TokenBucket[]
  readonly room: QueueRoom
  /** No byte leaves before, on the clock of `performance.now()`. */
  readonly heldUntilMs: number
  /** The one-way delay for what departs now, jitter included, ms. */
  readonly delayMs: () => number
  /** Whether anything gets through now; when it does again, someone calls `wake`. */
  readonly isOpen: () => boolean
  /** Whether the receiver takes more; when it does again, someone calls `wake`. */
  readonly isReceiverReady: () => boolean
  /** Hands a parcel to the receiver. */
  readonly deliver: (parcel: Parcel) => void
  /** Starts or stops reading from the sender. */
  readonly setReading: (isReading: boolean) => void
}

/**
 * One direction of one connection: queue (bounded, stops the sender) -> shaper (rates, turns) -> delay line -> receiver.
 * While it is not open everything stays where it is, and goes on from there.
 */
export class Lane implements Flow {
  readonly #options: LaneOptions
  readonly #queue = new ByteQueue()
  /** Of its queued bytes: with which arrival they came. */
  readonly #arrivals: { readonly number: number; leftBytes: number }[] = []
  readonly #alarm: Alarm
  #travelling: { readonly parcel: Parcel; readonly dueMs: number }[] = []
  #isReading = true
  #finale: Parcel | undefined
  #isClosed = false

  constructor(options: LaneOptions) {
    this.#options = options
    this.#alarm = new Alarm(() => this.#deliverDue())
    options.shaper.add(this)
  }

  get queuedBytes(): number {
    return this.#queue.length
  }

  get buckets(): readonly TokenBucket[] {
    return this.#options.buckets
  }

  get heldUntilMs(): number {
    return this.#options.heldUntilMs
  }

  get firstArrival(): number {
    return this.#arrivals[0]?.number ?? Number.POSITIVE_INFINITY
  }

  get isAble(): boolean {
    return this.#options.isOpen() && this.#options.isReceiverReady()
  }

  /** Bytes from the sender. */
  offer(bytes: Buffer): void {
    if (this.#isClosed) return
    this.#resizeQueue(() => this.#queue.push(bytes))
    this.#arrivals.push({ number: this.#options.shaper.arrived(), leftBytes: bytes.length })
    this.#options.shaper.poke()
    this.#adjustReading()
  }

  /** The sender asks for the connection. */
  connect(): void {
    this.#send({ kind: 'connect' })
  }

  /** The sender will send no more: goes after the queued bytes. */
  end(): void {
    this.#finale = { kind: 'end' }
    this.#finishWhenEmpty()
  }

  /** The sender is gone. What still waits for its turn goes first, unless it is to be thrown away. */
  reset({ keepQueued }: { keepQueued: boolean }): void {
    if (!keepQueued) this.#resizeQueue(() => this.#queue.clear())
    this.#finale = { kind: 'reset' }
    this.#finishWhenEmpty()
  }

  depart(bytes: number, nowMs: number): void {
    this.#resizeQueue(() => {
      for (const piece of this.#queue.take(bytes)) this.#send({ kind: 'bytes', bytes: piece }, nowMs)
    })
    this.#forgetArrivals(bytes)
    this.#finishWhenEmpty()
    this.#adjustReading()
  }

  wake(): void {
    this.#deliverDue()
    this.#options.shaper.poke()
  }

  /** Forgets everything and stops its timer. */
  close(): void {
    this.#isClosed = true
    this.#resizeQueue(() => this.#queue.clear())
    this.#travelling = []
    this.#alarm.clear()
    this.#options.shaper.remove(this)
  }

  #forgetArrivals(bytes: number): void {
    for (let leftBytes = bytes; leftBytes > 0 && this.#arrivals[0]; ) {
      const [first] = this.#arrivals
      const goneBytes = Math.min(leftBytes, first.leftBytes)
      first.leftBytes -= goneBytes
      leftBytes -= goneBytes
      if (first.leftBytes === 0) this.#arrivals.shift()
    }
  }

  #finishWhenEmpty(): void {
    const finale = this.#finale
    if (finale === undefined || this.#queue.length > 0) return
    this.#finale = undefined
    this.#send(finale)
  }

  #send(parcel: Parcel, nowMs: number = performance.now()): void {
    if (this.#isClosed) return
    const previousDueMs = this.#travelling.at(-1)?.dueMs ?? 0
    this.#travelling.push({ parcel, dueMs: Math.max(previousDueMs, nowMs + this.#options.delayMs()) })
    this.#deliverDue()
  }

  #deliverDue(): void {
    const nowMs = performance.now()
    let first = this.#travelling[0]
    while (first !== undefined && first.dueMs <= nowMs && this.isAble) {
      this.#travelling.shift()
      this.#options.deliver(first.parcel)
      first = this.#travelling[0]
    }
    // what is due and still here waits for a switch or the receiver, not for time
    const nextMs = first?.dueMs ?? Number.POSITIVE_INFINITY
    this.#alarm.set(nextMs > nowMs ? nextMs : Number.POSITIVE_INFINITY)
  }

  #resizeQueue(change: () => void): void {
    const before = this.#queue.length
    change()
    this.#options.room.changed(before, this.#queue.length)
  }

  #adjustReading(): void {
    const hasRoom = this.#options.room.hasRoom(this.#queue.length)
    if (this.#isClosed || hasRoom === this.#isReading) return
    this.#isReading = hasRoom
    this.#options.setReading(hasRoom)
  }
}
