import { beginUnder, strike } from './fault-effects.js'
import { type Fault, faultAt } from './faults.js'
import { LastMile, STEP_MS } from './last-mile.js'
import type { LinkTrace } from './link-trace.js'
import { PLANNED_MS, SimulatedSession } from './simulated-session.js'
import { SmallRequests } from './small-requests.js'

const TICK_MS = 250
/** The protocol reports progress ten times a second at most. */
const ACK_MS = 100
const LONGEST_BACKOFF_MS = 8_000
/** After the last launch, sessions get so long to end. */
const RUN_OUT_MS = 90_000
/** Below this share of what the plan assumed, the link itself makes a straggler. */
const LINK_FAULT_SHARE = 0.25
/** The mean of the others'. */
const SPARE_ROUND_TRIP_MS = 70

export interface WorldOptions {
  readonly trace: LinkTrace
  /** Where in the trace the run begins. */
  readonly offsetMs: number
  readonly stores: number
  /** Default false: beside those in use there is a mirror that copies may go to. It has no faults, beats and answers. */
  readonly hasSpare?: boolean
  readonly faults: readonly Fault[]
  /** No session begins later. */
  readonly durationMs: number
  readonly random: () => number
  /** Default true: after a long outage each connection waits for TCP's next try. */
  readonly backsOff?: boolean
}

/** What a client sees, in the order in which it happens. Probes are answered by calling back. */
export interface Client {
  launched(session: SimulatedSession, nowMs: number): void
  acknowledged(session: SimulatedSession, bytes: number, nowMs: number): void
  ended(session: SimulatedSession, nowMs: number): void
  roundTrip(store: number, roundTripMs: number, nowMs: number): void
  heard(store: number, nowMs: number): void
  probeLost(store: number, nowMs: number): void
  /** Each 250 ms. @returns stores to probe */
  ticked(nowMs: number, inFlight: readonly SimulatedSession[]): readonly number[]
}

/**
 * Fluid model of an upload: one session after the other at each store, all sharing one last mile by max-min fairness,
 * faults laid over stores. Every session runs to its end: nothing is hedged, so no label is censored.
 */
export class World {
  readonly sessions: SimulatedSession[] = []
  readonly lastMile: LastMile
  readonly #o: WorldOptions
  readonly #client: Client
  readonly #roundTripsMs: readonly number[]
  readonly #nextLaunchMs: number[]
  readonly #failuresInARow: number[]
  readonly #inFlight: (SimulatedSession | undefined)[]
  readonly #requests: SmallRequests
  #events: { atMs: number; tell: () => void }[] = []

  constructor(options: WorldOptions, client: Client) {
    this.#o = options
    this.#client = client
    const stores = Array.from({ length: options.stores }, (_, store) => store)
    this.#roundTripsMs = stores.map(() => 20 + Math.round(100 * options.random()))
    this.#nextLaunchMs = stores.map((store) => store * STEP_MS * Math.ceil(10 * options.random()))
    this.#failuresInARow = stores.map(() => 0)
    this.#inFlight = stores.map(() => undefined)
    this.lastMile = new LastMile(options.trace, options.offsetMs)
    this.#requests = new SmallRequests({
      lastMile: this.lastMile,
      faults: options.faults,
      roundTripsMs: [...this.#roundTripsMs, ...(options.hasSpare ? [SPARE_ROUND_TRIP_MS] : [])],
      heard: (store, nowMs) => this.#tell(nowMs, () => client.heard(store, nowMs)),
      lost: (store, nowMs) => this.#tell(nowMs, () => client.probeLost(store, nowMs)),
    })
  }

  run(): this {
    const { durationMs } = this.#o
    for (let nowMs = 0; nowMs < durationMs + RUN_OUT_MS; nowMs += STEP_MS) {
      this.#step(nowMs, nowMs < durationMs)
      if (nowMs >= durationMs && this.#inFlight.every((session) => session === undefined)) break
    }
    for (const session of this.#inFlight) if (session) this.#end(session, durationMs + RUN_OUT_MS, 'unfinished')
    return this
  }

  get faults(): readonly Fault[] {
    return this.#o.faults
  }

  #step(nowMs: number, mayLaunch: boolean): void {
    this.lastMile.begin(nowMs)
    if (nowMs % TICK_MS === 0) this.#requests.ask(this.#client.ticked(nowMs, this.#active()), nowMs)
    if (mayLaunch) this.#launch(nowMs)
    const sessions = this.#active()
    for (const session of sessions) this.#suffer(session, nowMs)
    this.lastMile.share(sessions, nowMs, (session) => this.#limitOf(session, nowMs))
    for (const session of sessions) this.#report(session, nowMs)
    this.#requests.pass(nowMs)
    this.#dispatch()
  }

  #active(): SimulatedSession[] {
    return this.#inFlight.filter((session) => session !== undefined)
  }

  #launch(nowMs: number): void {
    const { random, faults } = this.#o
    for (const [store, atMs] of this.#nextLaunchMs.entries()) {
      if (this.#inFlight[store] || nowMs < atMs) continue
      const session = new SimulatedSession({
        id: `${store}.${this.sessions.length}`,
        store,
        bytes: Math.max(16_000, Math.round((this.lastMile.plannedBytesPerMs / this.#o.stores) * PLANNED_MS)),
        startedMs: nowMs,
        roundTripMs: (this.#roundTripsMs[store] ?? 50) + this.lastMile.queueMs,
        backsOff: this.#o.backsOff ?? true,
        ackPhaseMs: Math.floor(ACK_MS * random()),
      })
      const fault = faultAt(faults, store, nowMs)
      if (fault) beginUnder(session, fault, random)
      this.#inFlight[store] = session
      this.sessions.push(session)
      this.#client.launched(session, nowMs)
    }
  }

  #suffer(session: SimulatedSession, nowMs: number): void {
    const { isUp } = this.lastMile
    const fault = faultAt(this.#o.faults, session.store, nowMs)
    if (fault && fault.fromMs > nowMs - STEP_MS && fault.fromMs >= session.startedMs)
      strike(session, fault, this.#o.random)
    const share = this.lastMile.recentBytesPerMs / this.#active().length
    if (share < LINK_FAULT_SHARE * session.plannedBytesPerMs) session.linkFaultAtMs ??= nowMs
    session.noticeLink(nowMs, isUp)
    if (!isUp || fault?.kind === 'storeStall' || fault?.kind === 'unreachable' || session.setupLeftMs <= 0) return
    session.setupLeftMs -= STEP_MS
    if (session.setupLeftMs > 0) return
    const { roundTripMs, store } = session
    this.#tell(nowMs, () => this.#client.roundTrip(store, roundTripMs, nowMs))
  }

  #limitOf(session: SimulatedSession, nowMs: number): number {
    const fault = faultAt(this.#o.faults, session.store, nowMs)
    if (fault?.kind === 'storeStall' || fault?.kind === 'unreachable') return 0
    const window = session.windowBytes(nowMs, STEP_MS)
    return fault?.kind === 'slow' ? Math.min(window, 0.1 * session.plannedBytesPerMs * STEP_MS) : window
  }

  #report(session: SimulatedSession, nowMs: number): void {
    const isWhole = session.deliveredBytes >= session.bytes
    if (session.nextAckMs < nowMs + STEP_MS || isWhole) {
      const atMs = isWhole ? nowMs + STEP_MS - 1 : Math.max(nowMs, session.nextAckMs)
      session.nextAckMs += ACK_MS
      const bytes = Math.floor(session.deliveredBytes) - session.ackedBytes
      session.ackedBytes += bytes
      if (bytes > 0) this.#tell(atMs, () => this.#client.acknowledged(session, bytes, atMs))
    }
    if (isWhole) this.#end(session, nowMs + STEP_MS - 1, 'completed')
    else if (session.timesOutBy(nowMs) || nowMs >= (session.failsAtMs ?? Number.POSITIVE_INFINITY)) {
      this.#end(session, nowMs, 'failed')
    }
  }

  #end(session: SimulatedSession, nowMs: number, end: 'completed' | 'failed' | 'unfinished'): void {
    const { store } = session
    session.end = end
    session.endedMs = nowMs
    this.#inFlight[store] = undefined
    const failures = end === 'completed' ? 0 : (this.#failuresInARow[store] ?? 0) + 1
    this.#failuresInARow[store] = failures
    const pauseMs = failures === 0 ? 0 : Math.min(LONGEST_BACKOFF_MS, 500 * 2 ** failures)
    this.#nextLaunchMs[store] = nowMs + pauseMs
    if (end !== 'unfinished') this.#tell(nowMs, () => this.#client.ended(session, nowMs))
  }

  #tell(atMs: number, tell: () => void): void {
    this.#events.push({ atMs, tell })
  }

  #dispatch(): void {
    this.#events.sort((a, b) => a.atMs - b.atMs)
    for (const { tell } of this.#events) tell()
    this.#events = []
  }
}
