import type { SessionId } from '../../partitioning/partition-plan.js'
import type { Claims } from '../blocks/claims.js'
import type { TransferContext } from '../transfer-context.js'
import { nameSession } from '../transfer-context.js'

/** Passes on what a store acknowledged, in an answer or an event, to everybody who counts on it. */
export class Acknowledgements {
  readonly #context: TransferContext
  readonly #claims: Claims

  constructor(context: TransferContext, claims: Claims) {
    this.#context = context
    this.#claims = claims
  }

  /** The session's bytes up to `offset` (absolute) arrived. What is known already, or older, changes nothing. */
  take(id: SessionId, offset: number): void {
    const { plan, clock, model, log, directory, runners } = this.#context
    const nowMs = clock.now()
    const session = plan.session(id)
    const bytes = plan.acknowledge(id, offset)
    if (!session || bytes === 0) return
    this.#context.noteProgress()
    const runner = runners.get(id)
    const isHeldUp = runner?.ownDelay.take(nowMs, nowMs - runner.aliveAtMs) ?? false
    // nor is a silence that a new connection has ended the rhythm of a session, however short it was
    const isCured = runner !== undefined && runner.freshTries > 0
    const pace = isHeldUp || isCured ? { appLimited: true } : {}
    model.acknowledged({ nowMs, session: id, bytes, ...pace })
    if (runner) {
      runner.freshTries = 0
      runner.aliveAtMs = nowMs
      runner.noteHeard()
    }
    directory.acquit(session.store, runner?.route)
    log.emit({ type: 'acked', ...nameSession(this.#context, session), offset: session.acked + bytes, ...pace }, nowMs)
    if (session.acked + bytes >= session.end) {
      runner?.stopBodyAt(session.end)
      this.#claims.hurry(session.store)
    }
    this.#context.wake()
  }
}
