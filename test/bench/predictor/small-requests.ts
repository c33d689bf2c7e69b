import { answers, type Fault, faultAt } from './faults.js'
import { type LastMile, STEP_MS } from './last-mile.js'

/** Guess: events of a store that tell nothing but that it lives. */
const HEARTBEAT_MS = 5_000
/** The engine's least deadline of a probe. */
const PROBE_DEADLINE_MS = 1_500
/** A new connection, and the request. */
const PROBE_ROUND_TRIPS = 2

interface Probe {
  readonly store: number
  readonly sentMs: number
  readonly answeredMs: number
}

export interface SmallRequestsOptions {
  readonly lastMile: LastMile
  readonly faults: readonly Fault[]
  readonly roundTripsMs: readonly number[]
  readonly heard: (store: number, nowMs: number) => void
  readonly lost: (store: number, nowMs: number) => void
}

/** Probes on connections of their own, one at a time for each store, and heartbeats of those that live. */
export class SmallRequests {
  readonly #o: SmallRequestsOptions
  #probes: Probe[] = []

  constructor(options: SmallRequestsOptions) {
    this.#o = options
  }

  ask(stores: readonly number[], nowMs: number): void {
    for (const store of stores) {
      if (this.#probes.some((probe) => probe.store === store)) continue
      const roundTripMs = (this.#o.roundTripsMs[store] ?? 50) + this.#o.lastMile.queueMs
      this.#probes.push({ store, sentMs: nowMs, answeredMs: nowMs + PROBE_ROUND_TRIPS * roundTripMs })
    }
  }

  pass(nowMs: number): void {
    this.#probes = this.#probes.filter(({ store, sentMs, answeredMs }) => {
      const isAnswered = nowMs >= answeredMs && this.#isThere(store, nowMs)
      if (isAnswered) this.#o.heard(store, nowMs)
      const isLost = !isAnswered && nowMs - sentMs >= PROBE_DEADLINE_MS
      if (isLost) this.#o.lost(store, nowMs)
      return !isAnswered && !isLost
    })
    const beating = (nowMs % HEARTBEAT_MS) / STEP_MS
    if (beating < this.#o.roundTripsMs.length && this.#isThere(beating, nowMs)) this.#o.heard(beating, nowMs)
  }

  #isThere(store: number, nowMs: number): boolean {
    return this.#o.lastMile.isUp && answers(faultAt(this.#o.faults, store, nowMs))
  }
}
