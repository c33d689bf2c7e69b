import { backoffMs } from '../failure-rules.js'
import { isPassing } from '../failure-table.js'
import { OperationError } from '../ports.js'
import type { Operations } from '../servers/operations.js'
import { pause } from '../timing.js'
import type { TransferContext } from '../transfer-context.js'

/** After this many tries the session is left to the server's expiry. */
const MAX_TRIES = 8

/**
 * Ends sessions on their servers: asked, confirmed, retried with backoff while the server is away, left to expiry at last.
 * A store that has not confirmed gets no new session, because its unfinished block may still belong to the old one.
 */
export class Terminations {
  readonly #context: TransferContext
  readonly #operations: Operations
  readonly #pending = new Map<string, string>()

  constructor(context: TransferContext, operations: Operations) {
    this.#context = context
    this.#operations = operations
  }

  isPending(store: string): boolean {
    return [...this.#pending.values()].includes(store)
  }

  drop(o: { session: string; store: string; reason: string }): void {
    if (this.#pending.has(o.session)) return
    this.#pending.set(o.session, o.store)
    void this.#run(o)
  }

  async #run({ session, store, reason }: { session: string; store: string; reason: string }): Promise<void> {
    const { signal, clock, randomness, log } = this.#context
    const startedMs = clock.now()
    let outcome: 'confirmed' | 'gone' | 'left' = 'left'
    let tries = 0
    while (outcome === 'left' && tries < MAX_TRIES && !signal.aborted) {
      tries += 1
      try {
        await this.#operations.ask(store, { op: 'plan', changes: [{ session, drop: true, reason }] }, signal)
        outcome = 'confirmed'
      } catch (error) {
        // such as 404 and 410: there is nothing left to end
        const isGone = error instanceof OperationError && !isPassing(error)
        if (isGone) outcome = 'gone'
        else if (tries < MAX_TRIES)
          await pause(clock, backoffMs({ fruitless: tries - 1, uniform: randomness.uniform() }), signal)
      }
    }
    this.#pending.delete(session)
    const waitMs = Math.round(clock.now() - startedMs)
    log.emit({ type: 'terminated', session, store, reason, outcome, tries, waitMs })
    this.#context.wake()
  }
}
