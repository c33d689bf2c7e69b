import type { BodyLimits } from '../kept/body-limits.js'
import type { AttemptOutcome } from '../ports.js'

/** Of a body that was ended by us, more than this handed over and nothing kept is a proxy that keeps nothing (guess). */
const MOST_BUFFERED_BYTES = 8 * 1024 * 1024
/** Of one that was ended with less handed over, nothing may have left our side (guess). */
const TELLING_BYTES = 1024 * 1024

/** One request of a session and what came of it. */
interface Sent {
  readonly outcome: AttemptOutcome
  readonly endpoint: string
  /** It carried no body: it asked what arrived. */
  readonly look: boolean
  /** More is acknowledged than before it. */
  readonly progressed: boolean
  /** Of its body, how many of them were handed to the socket, and how many were acknowledged before its answer. */
  readonly bytes: number
  readonly handedOver: number
  readonly heard: number
  readonly durationMs: number
}

/**
 * Whether a session's bodies arrive as they are sent. One of which nothing did, though its server answers, was too large
 * for what stands before the server: a browser is not told of a proxy's 413, and a proxy may keep nothing of a body that
 * was ended early.
 */
export class BodyWatch {
  readonly #limits: BodyLimits
  /** The body that is on its way, or of which nobody knows yet whether it arrived. */
  #onItsWay: { readonly endpoint: string; readonly bytes: number } | undefined
  /** Of a body that nobody answered for, until a look-up says what arrived. */
  #inDoubtBytes = 0
  /** The same of one that we ended when much of it was handed over. */
  #isEndedInDoubt = false

  constructor(limits: BodyLimits) {
    this.#limits = limits
  }

  /** A body is on its way. */
  sends(endpoint: string, bytes: number): void {
    this.#onItsWay = { endpoint, bytes }
    this.#limits.sends(endpoint, bytes, this)
  }

  /** A part of it was acknowledged. */
  heard(): void {
    if (this.#onItsWay) this.#limits.passes(this.#onItsWay.endpoint, this.#onItsWay.bytes)
  }

  /** Nothing is on its way, and nothing is going to be known of what was. */
  leave(): void {
    if (this.#onItsWay) this.#limits.ended(this.#onItsWay.endpoint, this)
    this.#onItsWay = undefined
  }

  /** The largest that may be sent now. */
  largest(endpoint: string, announced: number | undefined): number {
    return this.#limits.largest(endpoint, announced, this)
  }

  note(sent: Sent): void {
    if (sent.look) return this.#noteLook(sent)
    const { outcome, endpoint, progressed, bytes, handedOver, heard } = sent
    const caution = this.#limits.cautionFor(endpoint)
    if (outcome.kind === 'accepted' && progressed) {
      this.#limits.took(endpoint, bytes)
      caution.arrived(bytes, sent.durationMs)
    }
    if (heard > 0 && heard < bytes) caution.passedOn()
    const isSilent = outcome.kind === 'cut' && (outcome.fault === 'status 0' || outcome.fault === 'reset')
    const isEnded = outcome.kind === 'aborted'
    this.#inDoubtBytes = isSilent || (isEnded && handedOver >= MOST_BUFFERED_BYTES) ? bytes : 0
    this.#isEndedInDoubt = isEnded && handedOver >= Math.min(bytes, TELLING_BYTES)
    if (this.#inDoubtBytes === 0) this.leave()
  }

  #noteLook({ outcome, endpoint, progressed }: Sent): void {
    if (outcome.kind !== 'accepted') return
    if (!progressed && this.#inDoubtBytes > 0) this.#limits.vanished(endpoint, this.#inDoubtBytes)
    const caution = this.#limits.cautionFor(endpoint)
    if (progressed) caution.passedOn()
    else if (this.#isEndedInDoubt) caution.lost()
    this.#inDoubtBytes = 0
    this.#isEndedInDoubt = false
    this.leave()
  }
}
