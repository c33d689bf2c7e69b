import { RiskModel } from '../risk.js'
import type { EventOf, LogEvent } from './log-event.js'

export interface Replayed {
  /** The same events, with what the other model says in place of what was said. */
  readonly events: readonly LogEvent[]
  /** Assessments that were made anew, and those that were not: their log lacks what the model was told. */
  readonly assessed: number
  readonly left: number
}

type NewModel = (recalled?: EventOf<'recalled'>) => RiskModel

/** As the engine's: from what was remembered and what logs had taught, where the log says so. What is neither is as good as nothing. */
const likeTheEngines: NewModel = (recalled) => {
  if (recalled === undefined) return new RiskModel()
  const { state, ageMs, elapsedMs: nowMs } = recalled
  const options = recalled.priors === null ? {} : { priors: recalled.priors }
  try {
    return state === null ? new RiskModel(options) : RiskModel.fromJSON(state, { nowMs, ageMs, options })
  } catch {
    return new RiskModel()
  }
}

/**
 * Tells a model, another for each upload, what the engine's was told, from the log alone, and asks it wherever the engine
 * asked. The same version with the same options says the same again, to the four digits of the log.
 * @param newModel makes the model of one upload, and again where the log says what that one recalled
 */
export function replay(events: readonly LogEvent[], newModel: NewModel = likeTheEngines): Replayed {
  const uploads = new Map<string, Upload>()
  const said = new Map<LogEvent, LogEvent>()
  for (const event of inOrder(events)) {
    const key = event.upload ?? ''
    const upload = uploads.get(key) ?? new Upload(newModel)
    uploads.set(key, upload)
    said.set(event, upload.take(event))
  }
  const counted = { assessed: 0, left: 0 }
  for (const { assessed, left } of uploads.values()) {
    counted.assessed += assessed
    counted.left += left
  }
  return { events: events.map((event) => said.get(event) ?? event), ...counted }
}

/** Numbered events by their numbers; others stay where they are, and tell the model nothing. */
function inOrder(events: readonly LogEvent[]): LogEvent[] {
  return events.filter(({ n }) => n !== undefined && n > 0).sort((a, b) => (a.n ?? 0) - (b.n ?? 0))
}

/** One upload and the model that is told of it. */
class Upload {
  assessed = 0
  left = 0
  readonly #newModel: NewModel
  #model: RiskModel
  /** Of sessions in flight: the offset that was acknowledged last. */
  readonly #offsets = new Map<string, number>()

  constructor(newModel: NewModel) {
    this.#newModel = newModel
    this.#model = newModel()
  }

  /** The event, with what this model says in it. */
  take(event: LogEvent): LogEvent {
    if (event.type === 'sample') return this.#sample(event)
    this.#tell(event)
    return event
  }

  #tell(event: LogEvent): void {
    const model = this.#model
    const { elapsedMs: nowMs } = event
    switch (event.type) {
      case 'session':
        this.#offsets.set(event.session, event.start)
        return model.sessionStarted({
          nowMs,
          session: event.session,
          store: event.store,
          rangeBytes: event.end - event.start,
        })
      case 'acked':
        return this.#acknowledge(event)
      case 'ended':
        this.#offsets.delete(event.session)
        return model.sessionEnded({ ...event, nowMs })
      case 'heard':
        return model.heard({ ...event, nowMs })
      case 'roundTrip':
        return model.requestRtt({ ...event, nowMs })
      case 'probeLost':
        return model.probeLost({ ...event, nowMs })
      case 'load':
        return model.serverLoad({ ...event, nowMs })
      case 'busy':
        return model.busy({ ...event, nowMs })
      case 'recalled':
        // what was in flight, the new model was never told of
        this.#offsets.clear()
        this.#model = this.#newModel(event)
        return
      case 'localPause':
        return model.localPause({ ...event, nowMs })
      default:
        return
    }
  }

  #acknowledge({ elapsedMs: nowMs, session, offset, appLimited = false }: EventOf<'acked'>): void {
    const before = this.#offsets.get(session)
    if (before === undefined || offset <= before) return
    this.#offsets.set(session, offset)
    this.#model.acknowledged({ nowMs, session, bytes: offset - before, appLimited })
  }

  #sample(event: EventOf<'sample'>): LogEvent {
    const { elapsedMs: nowMs } = event
    this.#model.tick({ nowMs })
    const sessions = event.sessions.map((of) => {
      const { session, remainingBytes } = of
      if (remainingBytes === undefined || !this.#offsets.has(session)) {
        this.left += 1
        return of
      }
      this.assessed += 1
      // as a log has it: plain, with its reasons
      const assessment = JSON.parse(JSON.stringify(this.#model.assess({ nowMs, session, remainingBytes })))
      return { ...of, assessment }
    })
    return { ...event, link: this.#model.link(), sessions }
  }
}
