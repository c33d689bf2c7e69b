import { rounded } from '../log/rounded.js'
import type { TransferContext } from '../transfer-context.js'
import { nameSession } from '../transfer-context.js'
import type { RiskWatch } from './risk-watch.js'

/** Puts the state of everything in flight into the log, for pictures and for learning. */
export class Sampler {
  readonly #context: TransferContext
  readonly #watch: RiskWatch

  constructor(context: TransferContext, watch: RiskWatch) {
    this.#context = context
    this.#watch = watch
  }

  /** With a tick, after the sessions were scored and before anything is decided of them. */
  sample(nowMs: number): void {
    const { plan, model, log } = this.#context
    const sessions = plan.sessions().flatMap((session) => {
      const assessment = this.#watch.assessmentOf(session.session)
      if (!assessment) return []
      const { start, end, acked, kind } = session
      const where = { ...nameSession(this.#context, session), start, end, acked, kind }
      return [{ ...where, remainingBytes: plan.missingOf(session), assessment }]
    })
    const event = {
      type: 'sample' as const,
      ackedBytes: plan.acknowledgedBytes,
      verifiedBytes: plan.verifiedBytes,
      goodputBytesPerSecond: model.aggregateGoodput() ?? null,
      link: model.link(),
      sessions,
    }
    log.emit(rounded(event), nowMs)
  }
}
