import type { Fault } from '../orchestration/failure-table.js'
import type { Capabilities, Clock, PlainOutcome, PlainPort, PlainRun, ServerPort } from '../orchestration/ports.js'
import { pause } from '../orchestration/timing.js'

/** How often bytes move, ms. */
const STEP_MS = 100
/** TCP asks again after this long, then twice as long each time: of what was in flight, and of a new connection's first packet. */
const FIRST_RETRY_MS = 300
const FIRST_SYN_RETRY_MS = 1_000

/**
 * A plain tus server and the path to it, in memory: what arrives is stored, an outage holds back what is in flight until
 * TCP's own next try, and a server that is away refuses connections.
 */
export class MemoryPlain implements PlainPort, ServerPort {
  readonly endpoint = 'http://plain.test/files'
  readonly #clock: Clock
  bytesPerSecond = 1_000_000
  /** What is handed over runs so far ahead of the wire. */
  aheadBytes = 2_000_000
  /** Buffers take more when so much of them is free: less is not told, nor what comes last. */
  leastToldBytes = 0
  isPathDead = false
  /** Its process is gone: connections break, and new ones are refused. */
  isAway = false
  /** Of what is asked from now on. */
  roundTripMs = 40
  /** So many creations were asked for. */
  asked = 0
  /** Bytes of the upload. */
  stored = 0
  creations = 0
  receivedBytes = 0
  probes = 0
  /** Requests that run. */
  inFlight = 0
  #isCreated = false
  #stalls = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Connections that are open now never move again; new ones do. */
  stallConnections(): void {
    this.#stalls += 1
  }

  async run(o: PlainRun): Promise<PlainOutcome> {
    this.inFlight += 1
    try {
      return await this.#run(o)
    } finally {
      this.inFlight -= 1
    }
  }

  async terminate(): Promise<void> {
    this.#isCreated = false
  }

  async probe(signal: AbortSignal): Promise<Capabilities> {
    this.probes += 1
    const fault = await this.#ask(signal)
    if (fault) throw new Error(fault)
    return { kind: 'tus', storeId: undefined, limit: {}, extensions: [] }
  }

  attempt(): never {
    throw new Error('a plain server has no sessions')
  }

  operate(): never {
    throw new Error('a plain server has no operations')
  }

  listen(): never {
    throw new Error('a plain server has no events')
  }

  async #run(o: PlainRun): Promise<PlainOutcome> {
    const stalls = this.#stalls
    if (o.url === undefined) this.asked += 1
    const deadline = o.openDeadline()
    const fault = await this.#ask(deadline.signal)
    deadline.done()
    if (o.signal.aborted) return { kind: 'aborted' }
    if (fault) return cut(fault)
    const url = o.url ?? `${this.endpoint}/${++this.creations}`
    if (o.url === undefined) this.stored = 0
    else if (!this.#isCreated) return { kind: 'over', state: '404', status: 404 }
    this.#isCreated = true
    o.onUrl(url)
    o.onOffset(this.stored, false)
    while (this.stored < o.source.sizeBytes) {
      const range = { start: this.stored, end: Math.min(o.source.sizeBytes, this.stored + o.nextSize(this.stored)) }
      await o.admit(range)
      o.onPatch(range)
      const broken = await this.#patch(o, range.end, stalls)
      if (broken) return broken
      o.onOffset(this.stored, true)
    }
    return { kind: 'done', url }
  }

  /** What breaks off is stored as far as it arrived. */
  async #patch(o: PlainRun, end: number, stalls: number): Promise<PlainOutcome | undefined> {
    const tcp = new Retries(FIRST_RETRY_MS)
    let told = this.stored
    while (this.stored < end) {
      await pause(this.#clock, STEP_MS, o.signal)
      if (o.signal.aborted) return { kind: 'aborted' }
      if (this.isAway) return cut('reset')
      if (stalls !== this.#stalls || !tcp.passes(this.#clock.now(), this.isPathDead)) continue
      const bytes = Math.min(end - this.stored, (this.bytesPerSecond * STEP_MS) / 1000)
      this.stored += bytes
      this.receivedBytes += bytes
      const handed = Math.min(end, this.stored + this.aheadBytes)
      if (handed < told + this.leastToldBytes) continue
      o.onHandedOver(handed)
      told = handed
    }
    await pause(this.#clock, this.roundTripMs, o.signal)
    return o.signal.aborted ? { kind: 'aborted' } : undefined
  }

  /** A small request on a connection of its own. */
  async #ask(signal: AbortSignal): Promise<Fault | undefined> {
    const tcp = new Retries(FIRST_SYN_RETRY_MS)
    do {
      while (!signal.aborted && !tcp.passes(this.#clock.now(), this.isPathDead))
        await pause(this.#clock, STEP_MS, signal)
      await pause(this.#clock, this.roundTripMs, signal)
    } while (this.isPathDead && !signal.aborted)
    if (signal.aborted) return 'timed out'
    return this.isAway ? 'refused connection' : undefined
  }
}

/** A connection over a path that may be dead: when it is back, the next try of TCP finds out. */
class Retries {
  #waitMs: number
  #nextMs: number | undefined
  readonly #firstMs: number

  constructor(firstMs: number) {
    this.#firstMs = firstMs
    this.#waitMs = firstMs
  }

  passes(nowMs: number, isDead: boolean): boolean {
    if (this.#nextMs !== undefined && nowMs < this.#nextMs) return false
    if (!isDead) {
      this.#nextMs = undefined
      this.#waitMs = this.#firstMs
      return true
    }
    this.#nextMs = nowMs + this.#waitMs
    this.#waitMs *= 2
    return false
  }
}

function cut(fault: Fault): PlainOutcome {
  return { kind: 'cut', fault, cause: new Error(fault) }
}
