import { backoffMs } from './failure-rules.js'
import type { Store } from './server-directory.js'
import { withDeadline } from './timing.js'
import type { TransferContext } from './transfer-context.js'

const MIN_DEADLINE_MS = 1_500
const DEADLINE_RTOS = 4
/** While in doubt an answering store testifies this often: each answer dates the silence of the others (guess). */
const ANSWERED_PAUSE_MS = 300

/** Small requests on connections of their own that tell a dead link from a dead server (METHODS, finding 1). */
export class Probes {
  readonly #context: TransferContext
  readonly #inFlight = new Set<string>()
  readonly #nextAtMs = new Map<string, number>()
  readonly #lost = new Map<string, number>()

  constructor(context: TransferContext) {
    this.#context = context
  }

  /** Probes the stores that the model asks about, and those in suspicion until they answer. */
  pass(nowMs: number): void {
    const { directory, model } = this.#context
    const wanted = new Set(model.wantsProbe({ nowMs }))
    for (const store of directory.stores()) {
      if (store.state === 'unusable' || this.#inFlight.has(store.id)) continue
      if (!wanted.has(store.id) && store.state !== 'suspect') continue
      if ((this.#nextAtMs.get(store.id) ?? 0) > nowMs) continue
      void this.#probe(store)
    }
  }

  async #probe(store: Store): Promise<void> {
    const { clock, model, randomness, signal } = this.#context
    this.#inFlight.add(store.id)
    const deadline = withDeadline(clock, Math.max(MIN_DEADLINE_MS, DEADLINE_RTOS * model.store(store.id).rtoMs), signal)
    try {
      // by every address: which of them answers tells a dead route from a dead server
      store.answering = await Promise.any(
        store.routes.map((route) => route.port.probe(deadline.signal).then(() => route)),
      )
      const nowMs = clock.now()
      // no round-trip sample: a probe's time holds a handshake, and in a browser a preflight
      model.heard({ nowMs, store: store.id })
      this.#lost.delete(store.id)
      this.#nextAtMs.set(store.id, nowMs + ANSWERED_PAUSE_MS)
    } catch {
      if (signal.aborted) return
      const lost = (this.#lost.get(store.id) ?? 0) + 1
      this.#lost.set(store.id, lost)
      model.probeLost({ nowMs: clock.now(), store: store.id })
      this.#nextAtMs.set(store.id, clock.now() + backoffMs({ fruitless: lost, uniform: randomness.uniform() }))
    } finally {
      deadline.done()
      this.#inFlight.delete(store.id)
      this.#context.wake()
    }
  }
}
