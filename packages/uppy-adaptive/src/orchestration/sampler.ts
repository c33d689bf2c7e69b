import { totalBytes } from 'tus-reconcile-protocol'
import type { RiskWatch } from './risk-watch.js'
import type { TransferContext } from './transfer-context.js'
import { nameSession } from './transfer-context.js'

/** Puts the state of everything in flight into the log, for pictures and for learning. */
export class Sampler {
  readonly #context: TransferContext
  readonly #watch: RiskWatch

  constructor(context: TransferContext, watch: RiskWatch) {
    this.#context = context
    this.#watch = watch
  }

  sample(): void {
    const { plan, model, log } = this.#context
    const sessions = plan.sessions().flatMap((session) => {
      const assessment = this.#watch.assessmentOf(session.session)
      const { start, end, acked, kind } = session
      return assessment ? [{ ...nameSession(this.#context, session), start, end, acked, kind, assessment }] : []
    })
    log.emit({
      type: 'sample',
      ackedBytes: totalBytes(plan.acknowledged()),
      verifiedBytes: totalBytes(plan.verified),
      goodputBytesPerSecond: model.aggregateGoodput() ?? null,
      link: model.link(),
      sessions,
    })
  }
}
