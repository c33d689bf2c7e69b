import type { ServerEvent } from 'tus-reconcile-protocol'
import { backoffMs } from './failure-rules.js'
import type { Route, Store } from './server-directory.js'
import { onAbort } from './timing.js'
import type { TransferContext } from './transfer-context.js'
import { hearLoad } from './transfer-context.js'

/** A stream that says nothing for this long, though the server sends a heartbeat a second, is opened anew. */
const SILENCE_MS = 6_000

/** One event stream per store while something is in flight. It speeds things up; nothing depends on it (DESIGN 5.13). */
export class EventStreams {
  readonly #context: TransferContext
  /** By store: the route of its stream, and what ends it. */
  readonly #open = new Map<string, { route: Route; end: () => void }>()
  readonly #onEvent: (store: Store, event: ServerEvent) => void

  constructor(context: TransferContext, onEvent: (store: Store, event: ServerEvent) => void) {
    this.#context = context
    this.#onEvent = onEvent
  }

  /** Opens the store's stream, or follows the store to its new route. It ends with the transfer. */
  open(store: Store): void {
    const open = this.#open.get(store.id)
    if (open && open.route !== store.route) open.end()
    if (!open) void this.#run(store)
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
    this.#open.set(store.id, { route, end: abort })
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
          model.heard({ nowMs: route.heardAtMs, store: store.id })
          onAlive()
        },
        onLoad,
        onEvent: (event, id) => {
          lastEventId = id
          if (event.type === 'load') onLoad(Math.min(1, Math.max(0, event.load)))
          this.#onEvent(store, event)
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
