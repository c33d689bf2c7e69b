import { Calibration, type KnownCalibration } from './calibration.js'
import { type EndedSession, isFailure } from './outcome-ledger.js'
import { STRAGGLER_FACTOR } from './straggler.js'

/** What is recalibrated, each by itself. */
export const PARTS = ['risk', 'link', 'server', 'straggle'] as const
export type Part = (typeof PARTS)[number]
export type Parts = { readonly [part in Part]: number }
export type KnownRecalibration = { readonly [part in Part]: KnownCalibration }

/** At 0, 25, 50 and 100 % of METHODS' planned 5 s: what was predicted then is compared with what came. */
const MARKS_MS = [0, 1_250, 2_500, 5_000]

/** What was predicted of one session in flight, once per mark. */
export class PredictionSamples {
  readonly #startedMs: number
  readonly taken: Parts[] = []

  constructor(startedMs: number) {
    this.#startedMs = startedMs
  }

  take(nowMs: number, { risk, link, server, straggle }: Parts): void {
    const mark = MARKS_MS[this.taken.length]
    if (mark !== undefined && nowMs - this.#startedMs >= mark) this.taken.push({ risk, link, server, straggle })
  }
}

/**
 * `risk` and its parts against what came. A failure, or twice the plan, is put down to the parts by their share of what
 * was predicted (noisy or), a server error to the server alone. Of a session that others ended nothing is known: it counts
 * as it was predicted, so that preventing failures does not teach that there are none.
 */
export class Recalibration {
  readonly #of: { readonly [part in Part]: Calibration }

  constructor(known?: Partial<KnownRecalibration>) {
    const { risk, link, server, straggle } = known ?? {}
    this.#of = {
      risk: new Calibration(risk),
      link: new Calibration(link),
      server: new Calibration(server),
      straggle: new Calibration(straggle),
    }
  }

  get known(): KnownRecalibration {
    const { risk, link, server, straggle } = this.#of
    return { risk: risk.known, link: link.known, server: server.known, straggle: straggle.known }
  }

  apply({ risk, link, server, straggle }: Parts): Parts {
    return {
      risk: this.#of.risk.apply(risk),
      link: this.#of.link.apply(link),
      server: this.#of.server.apply(server),
      straggle: this.#of.straggle.apply(straggle),
    }
  }

  ended(o: EndedSession): void {
    if (o.outcome === 'cancelled' || (o.outcome === 'failed' && !isFailure(o.failure))) return
    const { taken } = o.session.samples
    for (const predicted of taken) {
      const happened = whatCame(o, predicted)
      for (const part of PARTS) {
        this.#of[part].learn({ predicted: predicted[part], happened: happened[part], weight: 1 / taken.length })
      }
    }
  }
}

function whatCame({ nowMs, session, outcome, failure }: EndedSession, predicted: Parts): Parts {
  if (outcome === 'superseded' || outcome === 'takenOver') return predicted
  const ratio = session.course.ratio(nowMs, session.ackedBytes) ?? 0
  if (outcome === 'completed' && ratio <= STRAGGLER_FACTOR) return { risk: 0, link: 0, server: 0, straggle: 0 }
  if (failure === 'serverError' && outcome === 'failed') return { risk: 1, link: 0, server: 1, straggle: 0 }
  const share = (part: number): number => (predicted.risk > 0 ? Math.min(1, part / predicted.risk) : 0)
  return { risk: 1, link: share(predicted.link), server: share(predicted.server), straggle: share(predicted.straggle) }
}
