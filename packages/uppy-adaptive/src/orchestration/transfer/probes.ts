import { backoffMs } from '../failure-rules.js'
import { LATE_MS } from '../servers/answering.js'
import type { Route, Store } from '../servers/server-directory.js'
import { onAbort, pause, withDeadline } from '../timing.js'
import type { TransferContext } from '../transfer-context.js'
import { hearLoad } from '../transfer-context.js'
import { UploadError } from '../upload-error.js'
import type { RiskWatch } from './risk-watch.js'

const MIN_DEADLINE_MS = 1_500
const DEADLINE_RTOS = 4
/** A suspect store that answers is asked again this soon, as the model asks those in doubt. */
const ANSWERED_PAUSE_MS = 300

/** Small requests on connections of their own that tell a dead link from a dead server (METHODS, finding 1). */
export class Probes {
  readonly #context: TransferContext
  readonly #watch: RiskWatch
  readonly #inFlight = new Set<string>()
  /** Addresses that are being asked: a dead one is asked once at a time, however often the others answer. */
  readonly #asked = new Set<Route>()
  readonly #nextAtMs = new Map<string, number>()
  readonly #lost = new Map<string, number>()

  constructor(context: TransferContext, watch: RiskWatch) {
    this.#context = context
    this.#watch = watch
  }

  /** Probes the stores that the model asks about, those in suspicion until they answer, and those in doubt. */
  pass(nowMs: number): void {
    const { directory, model } = this.#context
    const wanted = new Set(model.wantsProbe({ nowMs }))
    for (const store of directory.stores()) {
      if (store.state === 'unusable' || this.#inFlight.has(store.id)) continue
      if (wanted.has(store.id) || this.#isDue(store, nowMs)) void this.#probe(store)
    }
  }

  /** Of what the model does not ask about (it has a pace of its own): what may be a connection's own silence, may have another route, or is to be trusted again. */
  #isDue(store: Store, nowMs: number): boolean {
    if (this.#context.directory.isQuarantined(store, nowMs)) return false
    const isDoubted = store.state === 'suspect' || this.#watch.isInDoubt(store.id)
    return isDoubted && (this.#nextAtMs.get(store.id) ?? 0) <= nowMs
  }

  async #probe(store: Store): Promise<void> {
    const { clock, model, randomness, signal } = this.#context
    this.#inFlight.add(store.id)
    const deadline = withDeadline(clock, Math.max(MIN_DEADLINE_MS, DEADLINE_RTOS * model.store(store.id).rtoMs), signal)
    // by every address: which of them answers tells a dead route from a dead server
    const free = store.routes.filter((route) => !this.#asked.has(route))
    const asked = free.map((route) => this.#probeBy(store, route, deadline.signal))
    // the slower ones may answer yet, until the deadline or the transfer's end
    void Promise.allSettled(asked).then(deadline.done)
    try {
      await Promise.any(asked)
      const nowMs = clock.now()
      // no round-trip sample: a probe's time holds a handshake, and in a browser a preflight
      model.heard({ nowMs, store: store.id })
      this.#lost.delete(store.id)
      this.#nextAtMs.set(store.id, nowMs + ANSWERED_PAUSE_MS)
    } catch (error) {
      if (signal.aborted) return
      const lost = (this.#lost.get(store.id) ?? 0) + 1
      this.#lost.set(store.id, lost)
      if (!isAnswered(error)) model.probeLost({ nowMs: clock.now(), store: store.id })
      this.#nextAtMs.set(store.id, clock.now() + backoffMs({ fruitless: lost, uniform: randomness.uniform() }))
    } finally {
      this.#inFlight.delete(store.id)
      this.#context.wake()
    }
  }

  /**
   * Resolves with the first answer by that address. One that is late is asked beside: the connection that was kept open
   * for it may be dead, too. A connection in use is not used for the second one.
   */
  async #probeBy(store: Store, route: Route, signal: AbortSignal): Promise<void> {
    const { clock, model } = this.#context
    const own = new AbortController()
    const leave = onAbort(signal, () => own.abort())
    this.#asked.add(route)
    const { rtoMs } = model.store(store.id)
    const ask = async () => {
      const askedMs = clock.now()
      await route.port.probe(own.signal, hearLoad(this.#context, store.id))
      return askedMs
    }
    try {
      const first = ask()
      const late = pause(clock, Math.max(LATE_MS, rtoMs), own.signal)
      const askedMs = (await Promise.race([first, late])) ?? (await Promise.any([first, ask()]))
      route.heardAtMs = clock.now()
      route.answering.note({ nowMs: route.heardAtMs, askedMs, rtoMs })
    } catch (error) {
      route.answering.lost()
      throw error
    } finally {
      own.abort()
      leave()
      this.#asked.delete(route)
    }
  }
}

/** Somebody answered by one of the addresses, if only a proxy for a server that is away: neither a loss nor a sign of life. */
function isAnswered(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isAnswered)
  return error instanceof UploadError && error.status !== undefined
}
