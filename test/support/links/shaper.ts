import { Alarm } from './alarm.js'
import type { TokenBucket } from './token-bucket.js'

/** A turn is a tenth of the burst (2 ms of the rate), between one packet and 16 KiB: small to share, large to be cheap. */
const turnsPerBurst = 10
const leastTurnBytes = 1460
const mostTurnBytes = 16_384

/** One direction of one connection, as a shaper sees it. */
export type Flow = {
  /** Bytes that wait for their turn. */
  readonly queuedBytes: number
  /** All that limit this flow, each with a rate: connection, link, last mile. */
  readonly buckets: readonly TokenBucket[]
  /** Whether bytes may leave at all now; a flow that becomes able calls the shaper's `poke`. */
  readonly isAble: boolean
  /** Nothing leaves before (handshake), on the clock of `performance.now()`. */
  readonly heldUntilMs: number
  /** Which of all that ever came the first of its queued bytes came with. */
  readonly firstArrival: number
  /** Moves that many of its queued bytes on. */
  depart(bytes: number, nowMs: number): void
  /** A switch was thrown: look again at what can be carried on. */
  wake(): void
}

/** Who is served next: each flow in its turn, or what came first (small requests wait behind what others have queued). */
export type Discipline = 'fair' | 'fifo'

/**
 * Serves flows, round robin unless told otherwise, a turn each, as far as their token buckets allow. It holds one timer,
 * and only while a flow waits for tokens: idle means no timer.
 */
export class Shaper {
  readonly #flows: Flow[] = []
  readonly #bottleneck: TokenBucket
  readonly #discipline: Discipline
  readonly #alarm: Alarm
  #arrivals = 0
  #cursor = 0
  #isPumping = false
  #isPokedAgain = false

  /** @param bottleneck what all flows share; its rate sets the length of everyone's turn, so that turns are equal */
  constructor(bottleneck: TokenBucket, discipline: Discipline = 'fair') {
    this.#bottleneck = bottleneck
    this.#discipline = discipline
    this.#alarm = new Alarm(() => this.poke())
  }

  add(flow: Flow): void {
    this.#flows.push(flow)
  }

  remove(flow: Flow): void {
    const index = this.#flows.indexOf(flow)
    if (index < 0) return
    this.#flows.splice(index, 1)
    if (index < this.#cursor) this.#cursor -= 1
    if (this.#flows.length === 0) this.#alarm.clear()
  }

  /** Bytes came: the number of this arrival. */
  arrived(): number {
    this.#arrivals += 1
    return this.#arrivals
  }

  /** Something changed: bytes came, a rate or a switch was set, a receiver takes bytes again. */
  poke(): void {
    if (this.#isPumping) {
      this.#isPokedAgain = true
      return
    }
    this.#isPumping = true
    try {
      do {
        this.#isPokedAgain = false
        this.#pump(performance.now())
      } while (this.#isPokedAgain)
    } finally {
      this.#isPumping = false
    }
  }

  /** A switch was thrown for all flows. */
  wakeAll(): void {
    for (const flow of [...this.#flows]) flow.wake()
    this.poke()
  }

  #pump(nowMs: number): void {
    const lateMs = this.#alarm.lateMs(nowMs)
    for (const flow of this.#flows) {
      for (const bucket of flow.buckets) bucket.refill(nowMs, lateMs)
    }
    if (this.#discipline === 'fifo') return this.#serveInOrder(nowMs)
    for (let idleTurns = 0; idleTurns < this.#flows.length; ) {
      this.#cursor %= this.#flows.length
      const flow = this.#flows[this.#cursor]
      this.#cursor += 1
      idleTurns = flow !== undefined && this.#serve(flow, nowMs) ? 0 : idleTurns + 1
    }
    this.#alarm.set(Math.min(...this.#flows.map((flow) => this.#dueMsOf(flow, nowMs))))
  }

  /** Whoever is first keeps all others waiting for as long as its bytes take; not while nobody takes them. */
  #serveInOrder(nowMs: number): void {
    for (;;) {
      const waiting = this.#flows.filter((flow) => this.#turnBytesOf(flow) > 0 && flow.heldUntilMs <= nowMs)
      const first = waiting.sort((a, b) => a.firstArrival - b.firstArrival)[0]
      if (first && this.#serve(first, nowMs)) continue
      const held = this.#flows.filter((flow) => flow.heldUntilMs > nowMs)
      const next = first ? [first, ...held] : held
      return this.#alarm.set(Math.min(...next.map((flow) => this.#dueMsOf(flow, nowMs))))
    }
  }

  /** One turn of one flow. Whole turns only: half a turn now would dribble packets of a few bytes. */
  #serve(flow: Flow, nowMs: number): boolean {
    const bytes = this.#turnBytesOf(flow)
    if (bytes === 0 || flow.heldUntilMs > nowMs) return false
    if (flow.buckets.some((bucket) => bucket.tokens < bytes)) return false
    for (const bucket of flow.buckets) bucket.take(bytes)
    flow.depart(bytes, nowMs)
    return true
  }

  /** When the flow's next turn can be: `Infinity` when that does not depend on time. */
  #dueMsOf(flow: Flow, nowMs: number): number {
    const bytes = this.#turnBytesOf(flow)
    if (bytes === 0) return Number.POSITIVE_INFINITY
    return Math.max(nowMs, flow.heldUntilMs, ...flow.buckets.map((bucket) => bucket.readyAtMs(bytes)))
  }

  #turnBytesOf(flow: Flow): number {
    if (!flow.isAble) return 0
    const shareOfBurst = Math.floor(this.#bottleneck.largestTakeBytes / turnsPerBurst)
    const turn = Math.min(Math.max(leastTurnBytes, shareOfBurst), mostTurnBytes)
    return Math.min(turn, flow.queuedBytes, ...flow.buckets.map((bucket) => Math.floor(bucket.largestTakeBytes)))
  }
}
