import type { ServerEvent } from 'tus-reconcile-protocol'
import type { StoreId } from '../partitioning/partition-plan.js'
import { backoffMs } from './failure-rules.js'
import type { Route, Store } from './server-directory.js'
import { onAbort } from './timing.js'
import type { TransferContext } from './transfer-context.js'
import { hearLoad } from './transfer-context.js'

/** A stream that says nothing for this long, though the server sends a heartbeat a second, is opened anew. */
const SILENCE_MS = 6_000
/** So long, while a session of its server is silent for suspiciously long: perhaps it is the stream that is dead, or both (guess). */
const DOUBTED_SILENCE_MS = 1_500

interface OpenStream {
  readonly route: Route
  heardAtMs: number
  /** It was ended in doubt: the next one need not wait. */
  isDoubted: boolean
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
   * anew: what it tells then may end that session's silence, which costs nothing. It ends with the transfer.
   */
  open(store: Store): void {
    const open = this.#open.get(store.id)
    if (!open) return void this.#run(store)
    const silentMs = this.#context.clock.now() - open.heardAtMs
    if (silentMs >= DOUBTED_SILENCE_MS && this.#users.isInDoubt(store.id)) open.isDoubted = true
    if (open.isDoubted || open.route !== store.route) open.end()
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
      if (store.route !== route) continue
      fruitless += 1
      if (fruitless === 1 && this.#open.get(store.id)?.isDoubted) continue
      await rests.take(backoffMs({ fruitless, uniform: randomness.uniform() }), signal)
    }
  }

  async #listen(store: Store, resumeFrom: string | undefined, onAlive: () => void): Promise<string | undefined> {
    const { client, clock, model, signal } = this.#context
    const { route } = store
    const askedMs = clock.now()
    let isAnswered = false
    const stream = new AbortController()
    const abort = () => stream.abort()
    const open = { route, heardAtMs: askedMs, isDoubted: false, end: abort }
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
          isAnswered = true
          route.heardAtMs = clock.now()
          open.heardAtMs = route.heardAtMs
          model.heard({ nowMs: route.heardAtMs, store: store.id })
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
