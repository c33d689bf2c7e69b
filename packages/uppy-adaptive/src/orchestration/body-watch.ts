import type { BodyLimits } from './body-limits.js'
import type { AttemptOutcome } from './ports.js'

/** Of a body that was ended by us, more than this handed over and nothing kept is a proxy that keeps nothing (guess). */
const MOST_BUFFERED_BYTES = 8 * 1024 * 1024

/** One request of a session and what came of it. */
interface Sent {
  readonly outcome: AttemptOutcome
  readonly endpoint: string
  /** It carried no body: it asked what arrived. */
  readonly look: boolean
  /** More is acknowledged than before it. */
  readonly progressed: boolean
  /** Of its body, and how many of them were handed to the socket. */
  readonly bytes: number
  readonly handedOver: number
}

/**
 * Whether a session's bodies arrive as they are sent. One of which nothing did, though its server answers, was too large
 * for what stands before the server: a browser is not told of a proxy's 413, and a proxy may keep nothing of a body that
 * was ended early.
 */
export class BodyWatch {
  readonly #limits: BodyLimits
  /** Of a body that nobody answered for, until a look-up says what arrived. */
  #inDoubtBytes = 0

  constructor(limits: BodyLimits) {
    this.#limits = limits
  }

  note(sent: Sent): void {
    if (sent.look) return this.#noteLook(sent)
    const { outcome, endpoint, progressed, bytes, handedOver } = sent
    if (outcome.kind === 'accepted' && progressed) this.#limits.took(endpoint, bytes)
    const isSilent = outcome.kind === 'cut' && (outcome.fault === 'status 0' || outcome.fault === 'reset')
    const isEnded = outcome.kind === 'aborted' && handedOver >= MOST_BUFFERED_BYTES
    this.#inDoubtBytes = isSilent || isEnded ? bytes : 0
  }

  #noteLook({ outcome, endpoint, progressed }: Sent): void {
    if (outcome.kind !== 'accepted') return
    if (!progressed && this.#inDoubtBytes > 0) this.#limits.vanished(endpoint, this.#inDoubtBytes)
    this.#inDoubtBytes = 0
  }
}
