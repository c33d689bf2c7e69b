import type { Clock } from '../ports.js'
import { Ring } from './ring.js'
import type { UploadEvent } from './upload-event.js'

export type { SessionSample, UploadEvent } from './upload-event.js'

/** What every line of the log has. */
interface Stamp {
  /** Of one `AdaptiveUpload`, over all its starts: tells logs of several uploads apart that were mixed. */
  readonly upload: string
  /** Counts the upload's events from 1, `progress` aside: order and loss show. */
  readonly n: number
  /** Wall clock, ms since 1970. */
  readonly at: number
  /** Whole ms since the upload's first event, on the clock by which the risk model is told. */
  readonly elapsedMs: number
}

/** An event as listeners get it and as it is kept. */
export type LoggedEvent = UploadEvent & Stamp

type EventType = UploadEvent['type']

/** Of each kind of event the last so many are kept, so that frequent kinds push out no rare ones. Guesses. */
const KEPT = 1_000
/** Of three servers, at least five minutes of what comes with every tick or acknowledgement; sessions of the largest files. */
const KEPT_OF: { readonly [type in EventType]?: number } = {
  acked: 10_000,
  heard: 5_000,
  roundTrip: 3_000,
  load: 3_000,
  verified: 5_000,
  sample: 1_200,
  session: 3_000,
  completed: 3_000,
  ended: 3_000,
}
/** What a server says may stand in a message: no more of it than this. */
const LONGEST_TEXT = 300

/** The last events of each kind, and whoever listens. A listener that throws does not stop the upload. */
export class EventLog {
  readonly #clock: Pick<Clock, 'now' | 'epochMs'>
  readonly #upload: string
  readonly #onListenerError: (error: unknown) => void
  readonly #kept = new Map<EventType, Ring<LoggedEvent>>()
  readonly #listeners = new Set<(event: LoggedEvent) => void>()
  #originMs: number | undefined
  #count = 0

  /** @param onListenerError is told of a listener that threw: its bug stays visible and stays the listener's */
  constructor(o: {
    clock: Pick<Clock, 'now' | 'epochMs'>
    upload: string
    onListenerError: (error: unknown) => void
  }) {
    this.#clock = o.clock
    this.#upload = o.upload
    this.#onListenerError = o.onListenerError
  }

  /** The log's own time of a time on the engine's clock: whole ms, so that a line's time is exactly the model's. */
  timeOf(nowMs: number): number {
    this.#originMs ??= Math.floor(nowMs)
    return Math.floor(nowMs) - this.#originMs
  }

  /** The engine's clock at a time of the log. */
  clockAt(elapsedMs: number): number {
    return elapsedMs + (this.#originMs ?? 0)
  }

  /** @param nowMs on the engine's clock: when the model was told the same, where it was */
  emit(event: UploadEvent, nowMs: number = this.#clock.now()): void {
    const isKept = event.type !== 'progress'
    if (isKept) this.#count += 1
    const stamp = { upload: this.#upload, n: this.#count, at: this.#clock.epochMs(), elapsedMs: this.timeOf(nowMs) }
    const logged = { ...withBoundedTexts(event), ...stamp }
    if (isKept) this.#ring(event.type).push(logged)
    for (const listener of this.#listeners) {
      try {
        listener(logged)
      } catch (error) {
        this.#onListenerError(error)
      }
    }
  }

  subscribe(listener: (event: LoggedEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The kept events, oldest first: the last of each kind, and no `progress`, of which `acked` and `sample` tell more. */
  events(): readonly LoggedEvent[] {
    return [...this.#kept.values()].flatMap((ring) => ring.items()).sort((a, b) => a.n - b.n)
  }

  /** The kept events, oldest first, one JSON object a line. The first line says so when some are no longer kept. */
  toNdjson(): string {
    const events: readonly LoggedEvent[] = this.events()
    const dropped = [...this.#kept].flatMap(([type, ring]) => (ring.dropped > 0 ? [[type, ring.dropped]] : []))
    const { at = 0, elapsedMs = 0 } = events[0] ?? {}
    const note = { type: 'dropped', counts: Object.fromEntries(dropped), upload: this.#upload, n: 0, at, elapsedMs }
    return [...(dropped.length > 0 ? [note] : []), ...events].map((line) => `${JSON.stringify(line)}\n`).join('')
  }

  #ring(type: EventType): Ring<LoggedEvent> {
    const known = this.#kept.get(type)
    if (known) return known
    const ring = new Ring<LoggedEvent>(KEPT_OF[type] ?? KEPT)
    this.#kept.set(type, ring)
    return ring
  }
}

/** Texts of a bounded length, and without what an address may hold besides its path: names, passwords, tokens. */
function withBoundedTexts(event: UploadEvent): UploadEvent {
  const texts = Object.entries(event).filter(([, value]) => typeof value === 'string' && isUnbounded(value))
  if (texts.length === 0) return event
  return { ...event, ...Object.fromEntries(texts.map(([key, value]) => [key, bounded(value)])) }
}

function isUnbounded(text: string): boolean {
  return text.length > LONGEST_TEXT || text.includes('://')
}

function bounded(text: string): string {
  const bare = text.replace(/:\/\/[^\s/@]*@/g, '://').replace(/(:\/\/[^\s?#]*)[?#][^\s)"',]*/g, '$1')
  return bare.length <= LONGEST_TEXT ? bare : `${bare.slice(0, LONGEST_TEXT - 1)}…`
}
