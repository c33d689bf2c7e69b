import type { Claims } from './claims.js'
import type { Operations } from './operations.js'
import type { Reconciliation } from './reconciliation.js'
import type { SessionOutcomes } from './session-outcomes.js'
import type { Terminations } from './terminations.js'
import type { TransferContext } from './transfer-context.js'
import { UploadError } from './upload-error.js'

/** Blocks that only an unreachable store holds are sent again after this long without anything else to do. */
const HELD_PATIENCE_MS = 3_000

/** Ends waits that lead nowhere: servers that take nothing, events that were lost, blocks on a store that is gone. */
export class Patience {
  readonly #context: TransferContext
  readonly #claims: Claims
  readonly #operations: Operations
  readonly #reconciliation: Reconciliation
  readonly #outcomes: SessionOutcomes
  readonly #terminations: Terminations
  #lastProgressMs: number
  #idleSinceMs: number | undefined

  constructor(
    context: TransferContext,
    parts: {
      claims: Claims
      operations: Operations
      reconciliation: Reconciliation
      outcomes: SessionOutcomes
      terminations: Terminations
    },
  ) {
    this.#context = context
    this.#claims = parts.claims
    this.#operations = parts.operations
    this.#reconciliation = parts.reconciliation
    this.#outcomes = parts.outcomes
    this.#terminations = parts.terminations
    this.#lastProgressMs = context.clock.now()
  }

  noteProgress(): void {
    this.#lastProgressMs = this.#context.clock.now()
  }

  /** The machine slept: no server had a chance to take a byte. */
  noteLocalPause(gapMs: number): void {
    this.#lastProgressMs += gapMs
    if (this.#idleSinceMs !== undefined) this.#idleSinceMs += gapMs
  }

  pass(nowMs: number): void {
    const { options, plan } = this.#context
    if (nowMs - this.#lastProgressMs > options.giveUpAfterMs) {
      const message = `no server took a byte for ${options.giveUpAfterMs / 1000} s; start the upload again to go on where it stopped`
      return this.#context.fail(new UploadError('gave-up', message))
    }
    const isWaiting = plan.unassigned().length === 0 && plan.sessions().every((session) => session.acked >= session.end)
    this.#idleSinceMs = isWaiting ? (this.#idleSinceMs ?? nowMs) : undefined
    if (this.#idleSinceMs === undefined || nowMs - this.#idleSinceMs < HELD_PATIENCE_MS) return
    this.#idleSinceMs = nowMs
    void this.#reconciliation.ask(this.#operations, this.#terminations)
    this.#giveUpHeld()
  }

  #giveUpHeld(): void {
    const { directory, plan, log } = this.#context
    for (const store of directory.stores()) {
      if (store.state === 'ready') continue
      this.#outcomes.giveUpSent(store.id)
      if (plan.heldUnverified(store.id).length === 0) continue
      const ranges = plan.forget(store.id)
      this.#claims.forgetStore(store.id)
      log.emit({ type: 'resent', ranges, reason: `only ${store.route.endpoint} holds them, and it does not answer` })
    }
  }
}
