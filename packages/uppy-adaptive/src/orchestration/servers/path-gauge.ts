import type { StoreId } from '../../partitioning/partition-plan.js'
import type { PathState } from '../log/upload-event.js'
import { withDeadline } from '../timing.js'
import type { TransferContext } from '../transfer-context.js'
import { hearLoad } from '../transfer-context.js'
import type { Store } from './server-directory.js'

/** A round trip this much over the shortest is one through a standing queue (METHODS asks for 1.5 before giving back; guess). */
const QUEUED_SHARE = 1.25
/** Guess: what a server and a machine of their own take longer at times. */
const QUEUED_MS = 5
/** A probe opens its connection: a round trip without a queue is under this share of it (guess: a handshake is one more). */
const BARE_SHARE = 0.7
/** Older round trips say nothing of now (guess: three claims). */
const FRESH_MS = 3_500
/** A queue that was there so long ago is taken to stand still where nobody can be asked all the time (guess: the longest pause between questions, and an answer). */
const REMEMBERED_MS = 10_000
/** Of these the middle one counts: one that was lost and sent again is no queue. Of more an old queue would be seen for long. */
const MOST_SAMPLES = 3
/** One says too little. */
const LEAST_SAMPLES = 2
/** A store is asked again after this long at the earliest, and then half as often each time that its path is full (guess). */
const ASK_AGAIN_MS = 300
const LONGEST_ASK_MS = 8_000
const DEADLINE_MS = 3_000

interface Gauged {
  leastMs: number
  readonly recent: { readonly atMs: number; readonly roundTripMs: number }[]
  askedMs: number
  nextAskMs: number
  askAfterMs: number
  isAsked: boolean
  wasFull: { readonly atMs: number; readonly isFull: boolean } | undefined
}

/**
 * Whether the path to a store has a standing queue, by the round trips of small requests against the shortest of this
 * upload. A queue that all paths share stands in front of all stores: then more sessions bring nothing.
 */
export class PathGauge {
  readonly #context: TransferContext
  readonly #stores = new Map<StoreId, Gauged>()

  constructor(context: TransferContext) {
    this.#context = context
  }

  /** A small request was answered, by whatever words. */
  note(store: StoreId, roundTripMs: number): void {
    const gauged = this.#of(store)
    gauged.leastMs = Math.min(gauged.leastMs, roundTripMs)
    gauged.recent.push({ atMs: this.#context.clock.now(), roundTripMs })
    if (gauged.recent.length > MOST_SAMPLES) gauged.recent.shift()
    const isFull = this.isFull(store)
    if (isFull !== undefined) gauged.wasFull = { atMs: this.#context.clock.now(), isFull }
  }

  /** Undefined while too little is known. */
  isFull(store: StoreId): boolean | undefined {
    const state = this.stateOf(store)
    return state && state.middleMs > QUEUED_SHARE * state.leastMs + QUEUED_MS
  }

  /** The same when it was last known, a few seconds ago at most. */
  wasFull(store: StoreId): boolean {
    const { wasFull } = this.#of(store)
    return wasFull?.isFull === true && this.#context.clock.now() - wasFull.atMs <= REMEMBERED_MS
  }

  /** No queue, as told by a shortest round trip that is surely one without: a queue that stands from the start is not seen otherwise. */
  isSurelyFree(store: StoreId): boolean {
    const probeMs = this.#context.directory.get(store)?.route.probeMs ?? Number.POSITIVE_INFINITY
    return this.isFull(store) === false && this.#of(store).leastMs < BARE_SHARE * probeMs
  }

  stateOf(store: StoreId): PathState | undefined {
    const { recent, leastMs } = this.#of(store)
    const sinceMs = this.#context.clock.now() - FRESH_MS
    const fresh = recent.filter(({ atMs }) => atMs >= sinceMs).map(({ roundTripMs }) => roundTripMs)
    const middleMs = fresh.sort((a, b) => a - b)[Math.floor((fresh.length - 1) / 2)]
    if (middleMs === undefined || fresh.length < LEAST_SAMPLES) return undefined
    return { store, leastMs: Math.round(leastMs), middleMs: Math.round(middleMs) }
  }

  /** Asks a store whose path is not known, or was full a while ago; with urgency as soon as if it had been free. */
  ask(store: Store, o: { isUrgent?: boolean } = {}): void {
    const { clock, signal } = this.#context
    if (this.isFull(store.id) === false) return
    const gauged = this.#of(store.id)
    const nextAskMs = o.isUrgent ? Math.min(gauged.nextAskMs, gauged.askedMs + ASK_AGAIN_MS) : gauged.nextAskMs
    if (gauged.isAsked || signal.aborted || nextAskMs > clock.now()) return
    void this.#ask(store, gauged)
  }

  async #ask(store: Store, gauged: Gauged): Promise<void> {
    const { clock, signal, model } = this.#context
    gauged.isAsked = true
    const deadline = withDeadline(clock, DEADLINE_MS, signal)
    const startedMs = clock.now()
    try {
      await store.route.port.probe(deadline.signal, hearLoad(this.#context, store.id))
      const nowMs = clock.now()
      this.note(store.id, nowMs - startedMs)
      store.route.heardAtMs = nowMs
      store.route.answering.note({ nowMs, askedMs: startedMs, rtoMs: model.store(store.id).rtoMs })
      model.heard({ nowMs, store: store.id })
    } catch {
      // nothing is said of its path: nothing more goes there
    } finally {
      deadline.done()
      gauged.isAsked = false
      gauged.askAfterMs =
        this.isFull(store.id) === false ? ASK_AGAIN_MS : Math.min(LONGEST_ASK_MS, 2 * gauged.askAfterMs)
      gauged.askedMs = clock.now()
      gauged.nextAskMs = gauged.askedMs + gauged.askAfterMs
    }
  }

  #of(store: StoreId): Gauged {
    const known = this.#stores.get(store)
    if (known) return known
    const probeMs = this.#context.directory.get(store)?.route.probeMs
    const gauged = {
      ...{ leastMs: probeMs ?? Number.POSITIVE_INFINITY, recent: [] },
      ...{
        askedMs: Number.NEGATIVE_INFINITY,
        nextAskMs: Number.NEGATIVE_INFINITY,
        askAfterMs: ASK_AGAIN_MS / 2,
        isAsked: false,
        wasFull: undefined,
      },
    }
    this.#stores.set(store, gauged)
    return gauged
  }
}
