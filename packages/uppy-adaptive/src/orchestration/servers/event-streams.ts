import type { ServerEvent } from 'tus-reconcile-protocol'
import type { StoreId } from '../../partitioning/partition-plan.js'
import { backoffMs } from '../failure-rules.js'
import { onAbort } from '../timing.js'
import type { TransferContext } from '../transfer-context.js'
import { hearLoad } from '../transfer-context.js'
import type { Route, Store } from './server-directory.js'

/** A stream that says nothing for this long, though the server sends a heartbeat a second, is opened anew. */
const SILENCE_MS = 6_000
/** So long, while a session of its server is silent for suspiciously long and its address answers others: perhaps it is the stream that is dead, or both (guess). */
const DOUBTED_SILENCE_MS = 1_500

interface OpenStream {
  readonly route: Route
  heardAtMs: number
  /** It was ended in doubt: the next one need not wait. */
  isDoubted: boolean
  /** Fires when its address answers again, which had not when it was asked for: the next one need not wait, however many were in vain. */
  readonly outdated: AbortController
  readonly end: () => void
}

interface StreamUsers {
  onEvent(store: Store, event: ServerEvent): void
  /** Whether a session of the store is silent for suspiciously long. */
  isInDoubt(store: StoreId): boolean
}

/** One event stream per store while something is in flight. It speeds things up; nothing depends on it (DESIGN 5.13). */
export class EventStreams {
  readonly #context: TransferContext
  readonly #open = new Map<StoreId, OpenStream>()
  readonly #users: StreamUsers

  constructor(context: TransferContext, users: StreamUsers) {
    this.#context = context
    this.#users = users
  }

  /**
   * Opens the store's stream, or follows the store to its new route. One that is silent together with a session is opened
   * anew: what it tells then may end that session's silence, which costs nothing. So is, in place of one that has broken off,
   * one that was asked for before its address answered again: what was asked in the dark may wait for long. It ends with the
   * transfer.
   */
  open(store: Store): void {
    const open = this.#open.get(store.id)
    if (!open) return void this.#run(store)
    const isSilent = this.#context.clock.now() - open.heardAtMs >= DOUBTED_SILENCE_MS
    // in the dark a new one would be no better, and behind a long queue later than the old one
    if (isSilent && open.route.heardAtMs > open.heardAtMs && this.#users.isInDoubt(store.id)) open.isDoubted = true
    if (store.tellsSinceMs === Number.POSITIVE_INFINITY && open.heardAtMs < store.route.answering.sinceMs)
      open.outdated.abort()
    if (open.isDoubted || open.outdated.signal.aborted || open.route !== store.route) open.end()
  }

  async #run(store: Store): Promise<void> {
    const { signal, rests, randomness } = this.#context
    let lastEventId: string | undefined
    let fruitless = 0
    while (!signal.aborted) {
      const { route } = store
      lastEventId = await this.#listen(store, lastEventId, () => {
        fruitless = 0
      })
      if (store.tellsSinceMs !== Number.NEGATIVE_INFINITY) store.tellsSinceMs = Number.POSITIVE_INFINITY
      if (store.route !== route) continue
      fruitless += 1
      const open = this.#open.get(store.id)
      if (!open || signal.aborted || (fruitless === 1 && open.isDoubted)) continue
      const leave = onAbort(signal, () => open.outdated.abort())
      await rests.take(backoffMs({ fruitless, uniform: randomness.uniform() }), open.outdated.signal)
      leave()
    }
  }

  async #listen(store: Store, resumeFrom: string | undefined, onAlive: () => void): Promise<string | undefined> {
    const { client, clock, model, signal } = this.#context
    const { route } = store
    const askedMs = clock.now()
    let isAnswered = false
    const stream = new AbortController()
    const abort = () => stream.abort()
    const open = { route, heardAtMs: askedMs, isDoubted: false, outdated: new AbortController(), end: abort }
    this.#open.set(store.id, open)
    const leave = onAbort(signal, abort)
    let cancel = clock.after(SILENCE_MS, abort)
    let lastEventId = resumeFrom
    const onLoad = hearLoad(this.#context, store.id)
    try {
      await route.port.listen({
        client,
        lastEventId,
        signal: stream.signal,
        onAlive: () => {
          cancel()
          cancel = clock.after(SILENCE_MS, abort)
          if (!isAnswered) this.#context.noteRoundTrip(store.id, clock.now() - askedMs)
          if (!isAnswered) store.tellsSinceMs = clock.now()
          isAnswered = true
          open.heardAtMs = clock.now()
          route.heardAtMs = open.heardAtMs
          model.heard({ nowMs: open.heardAtMs, store: store.id })
          onAlive()
        },
        onLoad,
        onEvent: (event, id) => {
          lastEventId = id
          if (event.type === 'load') onLoad(Math.min(1, Math.max(0, event.load)))
          this.#users.onEvent(store, event)
        },
      })
    } catch {
      // a broken stream is opened again; what it would have said is learnt from answers
    } finally {
      cancel()
      leave()
    }
    return lastEventId
  }
}
