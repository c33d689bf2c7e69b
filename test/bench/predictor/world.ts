import { answers, type Fault, faultAt } from './faults.js'
import type { LinkTrace } from './link-trace.js'
import { PLANNED_MS, SimulatedSession } from './simulated-session.js'

export const STEP_MS = 50
const TICK_MS = 250
/** The protocol reports progress ten times a second at most. */
const ACK_MS = 100
/** Guess: events of a store that tell nothing but that it lives. */
const HEARTBEAT_MS = 5_000
/** The engine's least deadline of a probe. */
const PROBE_DEADLINE_MS = 1_500
/** A connect that nobody answers. */
const CONNECT_TIMEOUT_MS = 10_000
const LONGEST_BACKOFF_MS = 8_000
/** After the last launch, sessions get so long to end. */
const RUN_OUT_MS = 90_000
/** Below this share of what the plan assumed, the link itself makes a straggler. */
const LINK_FAULT_SHARE = 0.25

export interface WorldOptions {
  readonly trace: LinkTrace
  /** Where in the trace the run begins. */
  readonly offsetMs: number
  readonly stores: number
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

interface Probe {
  readonly store: number
  readonly sentMs: number
}

/**
 * Fluid model of an upload: one session after the other at each store, all sharing one last mile by max-min fairness,
 * faults laid over stores. Every session runs to its end: nothing is hedged, so no label is censored.
 */
export class World {
  readonly sessions: SimulatedSession[] = []
  /** Bytes one healthy session would have been given, up to each step. */
  readonly #healthyShare: number[] = [0]
  deliveredBytes = 0
  readonly #o: WorldOptions
  readonly #client: Client
  readonly #roundTripsMs: readonly number[]
  readonly #nextLaunchMs: number[]
  readonly #failuresInARow: number[]
  readonly #inFlight: (SimulatedSession | undefined)[]
  #probes: Probe[] = []
  #events: { atMs: number; tell: () => void }[] = []
  #capacity: number
  /** Goodput of all together over about the last five seconds, bytes per ms: what a client plans by. */
  #goodput: number

  constructor(options: WorldOptions, client: Client) {
    this.#o = options
    this.#client = client
    const stores = Array.from({ length: options.stores }, (_, store) => store)
    this.#roundTripsMs = stores.map(() => 20 + Math.round(100 * options.random()))
    this.#nextLaunchMs = stores.map((store) => store * STEP_MS * Math.ceil(10 * options.random()))
    this.#failuresInARow = stores.map(() => 0)
    this.#inFlight = stores.map(() => undefined)
    this.#capacity = options.trace.meanBytesPerMs
    this.#goodput = options.trace.meanBytesPerMs
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

  /** Bytes that one healthy session in flight all the time would have been given by then. */
  healthyBytesAt(nowMs: number): number {
    const at = Math.min(this.#healthyShare.length - 1, nowMs / STEP_MS)
    const [before, after] = [this.#healthyShare[Math.floor(at)] ?? 0, this.#healthyShare[Math.ceil(at)] ?? 0]
    return before + (after - before) * (at % 1)
  }

  /** The first step by which so many were given; the end of the run where they never were. */
  healthyMsAt(bytes: number): number {
    let [low, high] = [0, this.#healthyShare.length - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#healthyShare[middle] ?? 0) >= bytes) high = middle
      else low = middle + 1
    }
    return low * STEP_MS
  }

  #step(nowMs: number, mayLaunch: boolean): void {
    const capacity = this.#o.trace.bytesPerMsAt(this.#o.offsetMs + nowMs)
    this.#capacity += (capacity - this.#capacity) * (STEP_MS / 1_000)
    if (nowMs % TICK_MS === 0) this.#tick(nowMs)
    if (mayLaunch) this.#launch(nowMs)
    const sessions = this.#active()
    for (const session of sessions) this.#suffer(session, nowMs, capacity > 0)
    this.#transfer(sessions, nowMs, capacity * STEP_MS)
    this.#healthyShare.push((this.#healthyShare.at(-1) ?? 0) + (capacity * STEP_MS) / Math.max(1, sessions.length))
    for (const session of sessions) this.#report(session, nowMs)
    this.#probe(nowMs, capacity > 0)
    this.#beat(nowMs, capacity > 0)
    this.#dispatch()
  }

  #active(): SimulatedSession[] {
    return this.#inFlight.filter((session) => session !== undefined)
  }

  #tick(nowMs: number): void {
    for (const store of this.#client.ticked(nowMs, this.#active())) {
      if (!this.#probes.some((probe) => probe.store === store)) this.#probes.push({ store, sentMs: nowMs })
    }
  }

  #launch(nowMs: number): void {
    const { random, faults } = this.#o
    for (const [store, atMs] of this.#nextLaunchMs.entries()) {
      if (this.#inFlight[store] || nowMs < atMs) continue
      const session = new SimulatedSession({
        id: `${store}.${this.sessions.length}`,
        store,
        bytes: Math.max(16_000, Math.round((this.#plannedGoodput() / this.#o.stores) * PLANNED_MS)),
        startedMs: nowMs,
        roundTripMs: this.#roundTripsMs[store] ?? 50,
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

  /** Never under a quarter of the link's mean: an outage is no plan. */
  #plannedGoodput(): number {
    return Math.max(this.#goodput, this.#o.trace.meanBytesPerMs / 4)
  }

  #suffer(session: SimulatedSession, nowMs: number, isUp: boolean): void {
    const fault = faultAt(this.#o.faults, session.store, nowMs)
    if (fault && fault.fromMs > nowMs - STEP_MS && fault.fromMs >= session.startedMs)
      strike(session, fault, this.#o.random)
    const share = this.#capacity / this.#active().length
    if (share < LINK_FAULT_SHARE * session.plannedBytesPerMs) session.linkFaultAtMs ??= nowMs
    session.noticeLink(nowMs, isUp)
    if (!isUp || fault?.kind === 'storeStall' || fault?.kind === 'unreachable' || session.setupLeftMs <= 0) return
    session.setupLeftMs -= STEP_MS
    if (session.setupLeftMs > 0) return
    const { roundTripMs, store } = session
    this.#tell(nowMs, () => this.#client.roundTrip(store, roundTripMs, nowMs))
  }

  #transfer(sessions: readonly SimulatedSession[], nowMs: number, capacityBytes: number): void {
    const limits = sessions.map((session) => ({ session, limit: this.#limitOf(session, nowMs) }))
    limits.sort((a, b) => a.limit - b.limit)
    let leftBytes = capacityBytes
    for (const [at, { session, limit }] of limits.entries()) {
      const bytes = Math.min(limit, session.bytes - session.deliveredBytes, leftBytes / (limits.length - at))
      session.deliver(bytes, nowMs + STEP_MS)
      leftBytes -= bytes
    }
    const delivered = capacityBytes - leftBytes
    this.deliveredBytes += delivered
    this.#goodput += (delivered / STEP_MS - this.#goodput) * (STEP_MS / PLANNED_MS)
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

  #probe(nowMs: number, isUp: boolean): void {
    this.#probes = this.#probes.filter(({ store, sentMs }) => {
      const answeredMs = sentMs + 2 * (this.#roundTripsMs[store] ?? 50)
      const isAnswered = isUp && nowMs >= answeredMs && answers(faultAt(this.#o.faults, store, nowMs))
      if (isAnswered) this.#tell(nowMs, () => this.#client.heard(store, nowMs))
      const isLost = !isAnswered && nowMs - sentMs >= PROBE_DEADLINE_MS
      if (isLost) this.#tell(nowMs, () => this.#client.probeLost(store, nowMs))
      return !isAnswered && !isLost
    })
  }

  #beat(nowMs: number, isUp: boolean): void {
    if (!isUp || nowMs % HEARTBEAT_MS >= STEP_MS * this.#o.stores) return
    const store = (nowMs % HEARTBEAT_MS) / STEP_MS
    if (answers(faultAt(this.#o.faults, store, nowMs))) this.#tell(nowMs, () => this.#client.heard(store, nowMs))
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

/** A fault begins while the session is in flight. */
function strike(session: SimulatedSession, fault: Fault, random: () => number): void {
  if (fault.kind === 'errors') {
    if (random() < 0.5) return
    session.failsAtMs = fault.fromMs + random() * (fault.untilMs - fault.fromMs)
  }
  if (fault.kind === 'killed') session.failsAtMs = fault.fromMs
  if (fault.kind === 'connectionStall') session.isStuck = true
  if (fault.kind === 'unreachable') {
    session.isStuck = true
    session.failsAtMs = fault.untilMs
  }
  session.faultAtMs = fault.fromMs
}

/** A session begins while its store is under a fault. */
function beginUnder(session: SimulatedSession, fault: Fault, random: () => number): void {
  if (fault.kind === 'connectionStall' || (fault.kind === 'errors' && random() < 0.3)) return
  if (fault.kind === 'errors' || fault.kind === 'killed') session.failsAtMs = session.startedMs + session.setupLeftMs
  if (fault.kind === 'unreachable') session.failsAtMs = session.startedMs + CONNECT_TIMEOUT_MS
  session.faultAtMs = session.startedMs
}
