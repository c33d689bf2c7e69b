import type { SessionId, StoreId } from '../../partitioning/partition-plan.js'
import type { Claims } from '../blocks/claims.js'
import type { Reconciliation } from '../reconciliation/reconciliation.js'
import type { Operations } from '../servers/operations.js'
import type { SessionOutcomes } from '../sessions/session-outcomes.js'
import type { Terminations } from '../sessions/terminations.js'
import type { TransferContext } from '../transfer-context.js'
import { UploadError } from '../upload-error.js'

/** Blocks that only an unreachable store holds are sent again after this long without anything else to do. */
const HELD_PATIENCE_MS = 3_000

/** What was sent is verified within a round trip or two: after this long its event was lost, and its store is asked (guess). */
const NEWS_PATIENCE_MS = 1_000

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
  /** Sessions that have sent everything: since when, or when they were last asked about. */
  readonly #sentSinceMs = new Map<SessionId, number>()

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
    this.#askForNews(nowMs)
    const sessions = plan.sessions()
    const isAllSent = sessions.every((session) => session.acked >= session.end)
    const isWaiting = isAllSent && (sessions.length > 0 || plan.unassignedBytes === 0)
    this.#idleSinceMs = isWaiting ? (this.#idleSinceMs ?? nowMs) : undefined
    if (this.#idleSinceMs === undefined || nowMs - this.#idleSinceMs < HELD_PATIENCE_MS) return
    this.#idleSinceMs = nowMs
    void this.#reconciliation.ask(this.#operations, this.#terminations)
    this.#giveUpHeld()
  }

  /** Sessions that wait for their verification take others' places: nothing may depend on an event (docs/protocol.md, P78). */
  #askForNews(nowMs: number): void {
    const sent = this.#context.plan.sessions().filter((session) => session.acked >= session.end)
    const known = new Set(sent.map(({ session }) => session))
    for (const id of this.#sentSinceMs.keys()) if (!known.has(id)) this.#sentSinceMs.delete(id)
    const stores = new Set<StoreId>()
    for (const { session, store } of sent) {
      const sinceMs = this.#sentSinceMs.get(session)
      if (sinceMs === undefined) this.#sentSinceMs.set(session, nowMs)
      else if (nowMs - sinceMs >= NEWS_PATIENCE_MS) {
        this.#sentSinceMs.set(session, nowMs)
        stores.add(store)
      }
    }
    for (const store of stores) void this.#reconciliation.askForNews(this.#operations, store)
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
