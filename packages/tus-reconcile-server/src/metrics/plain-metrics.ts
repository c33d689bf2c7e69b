import { DISK_BUCKETS } from './buckets.js'
import { type OwnRegistry, opened } from './own-registry.js'

/** What a plain upload comes to: the only values of the label `state` there. */
const PLAIN_STATES = ['created', 'finished', 'removed', 'expired'] as const
type PlainState = (typeof PLAIN_STATES)[number]

/** Figures of uploads of plain tus: partial and final ones are uploads of their own. */
export class PlainMetrics {
  readonly #uploads
  readonly #received
  readonly #writes
  readonly #bodies

  constructor(registry: OwnRegistry) {
    const states = { label: 'state', values: PLAIN_STATES }
    this.#uploads = registry.counter('plain_uploads_total', 'Plain uploads that came to that state here.', states)
    this.#received = registry.counter('plain_received_bytes_total', 'Bytes of plain uploads that were taken.')
    this.#writes = registry.histogram('plain_write_seconds', 'Writing one piece of a plain body.', DISK_BUCKETS)
    this.#bodies = registry.gauge('plain_bodies', 'Bodies of plain uploads that are being received.')
  }

  became(state: PlainState, uploads: number = 1): void {
    this.#uploads.inc({ state }, uploads)
  }

  wrote(bytes: number, seconds: number): void {
    this.#received.inc(bytes)
    this.#writes.observe(seconds)
  }

  /** Returns what is called at its end. */
  bodyOpened(): () => void {
    return opened(this.#bodies)
  }
}
