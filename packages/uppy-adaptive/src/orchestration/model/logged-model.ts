import {
  type Priors,
  type RiskAssessment,
  RiskModel,
  type RiskModelSetup,
  type RiskModelState,
  type StoreView,
} from 'upload-predictor'
import type { StoreId } from '../../partitioning/partition-plan.js'
import type { EventLog } from '../log/event-log.js'
import type { Remembered } from './predictor-memory.js'

/** Told to the model, and said in no other event than this one's. */
type Told<Call extends 'sessionEnded' | 'localPause' | 'heard' | 'probeLost' | 'serverLoad' | 'busy'> = Parameters<
  RiskModel[Call]
>[0]

/**
 * A store that spoke just now need not be heard again (guess: the protocol's least interval of a session's events). It
 * keeps the log's signs of life at ten a second and store, whatever a server sends.
 */
const HEARD_AGAIN_MS = 100

/**
 * The engine's risk model, by the log's clock: whatever it is told is in the log, by the event of what happened or by one
 * of its own, so that another model can be told the same from the log alone. Times in and out are the engine's clock's.
 */
export class LoggedModel {
  #model: RiskModel
  readonly #log: EventLog
  readonly #heardMs = new Map<StoreId, number>()

  constructor(log: EventLog, model: RiskModel = new RiskModel()) {
    this.#log = log
    this.#model = model
  }

  /** Before it is told anything: where it starts, which stands in the log as `recalled`. What is damaged or another's is as good as nothing. */
  recall(o: { nowMs: number; remembered: Remembered | undefined; priors: Priors | undefined }): void {
    const { remembered, priors } = o
    const options = priors === undefined ? {} : { priors }
    const restored = remembered && restore(remembered, { nowMs: this.#log.timeOf(o.nowMs), options })
    this.#model = restored?.model ?? new RiskModel(options)
    if (!restored && !priors) return
    const { state = null, ageMs = 0 } = restored ?? {}
    this.#log.emit({ type: 'recalled', state, ageMs, priors: priors ?? null }, o.nowMs)
  }

  /** What is worth keeping for the next upload. */
  toJSON(): RiskModelState {
    return this.#model.toJSON()
  }

  /** Stands in the log as `session`. Returns what it is planned to take in all, in ms, as the log has it; null without a plan. */
  sessionStarted(o: Parameters<RiskModel['sessionStarted']>[0]): number | null {
    const timed = this.#timed(o)
    this.#model.sessionStarted(timed)
    const { plannedMs } = this.#model.assess({ ...timed, remainingBytes: o.rangeBytes, isGlance: true })
    return plannedMs === undefined ? null : Number(plannedMs.toPrecision(4))
  }

  /** Stands in the log as `acked`. */
  acknowledged(o: Parameters<RiskModel['acknowledged']>[0]): void {
    this.#model.acknowledged(this.#timed(o))
  }

  sessionEnded({ nowMs, ...told }: Told<'sessionEnded'>): void {
    this.#model.sessionEnded(this.#timed({ nowMs, ...told }))
    this.#log.emit({ type: 'ended', ...told }, nowMs)
  }

  localPause({ nowMs, gapMs }: Told<'localPause'>): void {
    this.#model.localPause(this.#timed({ nowMs, gapMs }))
    this.#log.emit({ type: 'localPause', gapMs }, nowMs)
  }

  /** Stands in the log as `sample`. */
  tick(o: Parameters<RiskModel['tick']>[0]): void {
    this.#model.tick(this.#timed(o))
  }

  heard({ nowMs, store }: Told<'heard'>): void {
    const before = this.#heardMs.get(store) ?? Number.NEGATIVE_INFINITY
    if (nowMs - before < HEARD_AGAIN_MS) return
    this.#heardMs.set(store, nowMs)
    this.#model.heard(this.#timed({ nowMs, store }))
    this.#log.emit({ type: 'heard', store }, nowMs)
  }

  requestRtt({ operation, ...o }: Parameters<RiskModel['requestRtt']>[0] & { operation: string }): void {
    const { nowMs, store } = o
    const roundTripMs = Math.round(o.roundTripMs * 10) / 10
    this.#heardMs.set(store, nowMs)
    this.#model.requestRtt(this.#timed({ nowMs, store, roundTripMs }))
    this.#log.emit({ type: 'roundTrip', store, operation, roundTripMs }, nowMs)
  }

  probeLost({ nowMs, store }: Told<'probeLost'>): void {
    this.#model.probeLost(this.#timed({ nowMs, store }))
    this.#log.emit({ type: 'probeLost', store }, nowMs)
  }

  serverLoad({ nowMs, ...told }: Told<'serverLoad'>): void {
    this.#model.serverLoad(this.#timed({ nowMs, ...told }))
    this.#log.emit({ type: 'load', ...told }, nowMs)
  }

  busy({ nowMs, ...told }: Told<'busy'>): void {
    this.#model.busy(this.#timed({ nowMs, ...told }))
    this.#log.emit({ type: 'busy', ...told }, nowMs)
  }

  /** Stands in the log as `probesWanted`, where it wants any. */
  wantsProbe({ nowMs }: { nowMs: number }): StoreId[] {
    const stores = this.#model.wantsProbe(this.#timed({ nowMs }))
    if (stores.length > 0) this.#log.emit({ type: 'probesWanted', stores }, nowMs)
    return stores
  }

  /** Stands in the log's next `sample`, but for a glance. */
  assess(o: Parameters<RiskModel['assess']>[0]): RiskAssessment {
    return this.#model.assess(this.#timed(o))
  }

  link(): ReturnType<RiskModel['link']> {
    return this.#model.link()
  }

  store(store: StoreId): StoreView {
    const view = this.#model.store(store)
    const { lastHeardMs } = view
    return { ...view, lastHeardMs: lastHeardMs === undefined ? undefined : this.#log.clockAt(lastHeardMs) }
  }

  aggregateGoodput(): number | undefined {
    return this.#model.aggregateGoodput()
  }

  #timed<T extends { nowMs: number }>(o: T): T {
    return { ...o, nowMs: this.#log.timeOf(o.nowMs) }
  }
}

/** The model, and the state without what is not the model's. */
function restore(
  { state, ageMs }: Remembered,
  o: { nowMs: number; options: RiskModelSetup },
): { model: RiskModel; state: RiskModelState; ageMs: number } | undefined {
  try {
    const model = RiskModel.fromJSON(state, { ...o, ageMs })
    return { model, state: RiskModel.fromJSON(state, { ...o, ageMs: 0 }).toJSON(), ageMs }
  } catch {
    return undefined
  }
}
