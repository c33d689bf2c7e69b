import type { ByteRange } from 'tus-reconcile-protocol'
import type { PlannedSession } from '../../partitioning/partition-plan.js'
import { LEAST_BODY_BYTES } from '../kept/body-limits.js'
import type { AttemptOutcome } from '../ports.js'
import type { Store } from '../servers/server-directory.js'
import type { TransferContext } from '../transfer-context.js'
import { nameSession } from '../transfer-context.js'
import { BodyWatch } from './body-watch.js'

/** A PATCH carries at most this much, so that a lost one and the memory it holds stay bounded (DESIGN 5.3). */
const MAX_BODY_BYTES = 64 * 1024 * 1024

/** How large one session's bodies may be, and what came of the last one. */
export class SessionBodies {
  readonly #context: TransferContext
  readonly #store: Store
  readonly #watch: BodyWatch
  #range: ByteRange = { start: 0, end: 0 }
  #beganMs = 0

  constructor(context: TransferContext, store: Store) {
    this.#context = context
    this.#store = store
    this.#watch = new BodyWatch(context.bodies)
  }

  /** The most that one may have. */
  get mostBytes(): number {
    const { route, limit } = this.#store
    return Math.min(MAX_BODY_BYTES, this.#watch.largest(route.endpoint, limit.maxAppendSize))
  }

  /** Where the latest one ends in the file. */
  get end(): number {
    return this.#range.end
  }

  /** The next one's range. From here on it counts for everybody who asks how large one may be. */
  take(session: PlannedSession): ByteRange {
    const { model, options } = this.#context
    const { requestRttMs = 0 } = model.store(this.#store.id)
    const capped = options.rateCap?.bodyBytes(requestRttMs) ?? Number.POSITIVE_INFINITY
    const bytes = Math.min(session.end - session.acked, this.mostBytes, capped)
    this.#watch.sends(this.#store.route.endpoint, bytes)
    return { start: session.acked, end: session.acked + bytes }
  }

  /** It goes out now; an empty one asks for the offset. */
  begin(range: ByteRange): void {
    this.#range = range
    this.#beganMs = this.#context.clock.now()
  }

  /** Some of it was acknowledged while its request goes on. */
  noteHeard(): void {
    this.#watch.heard()
  }

  /** What came of it, by which route; `handedOver` and `heardTo` as offsets in the file. */
  note(
    session: PlannedSession,
    o: {
      outcome: AttemptOutcome
      look: boolean
      progressed: boolean
      endpoint: string
      handedOver: number
      heardTo: number
    },
  ): void {
    const before = this.mostBytes
    const durationMs = this.#context.clock.now() - this.#beganMs
    const { outcome, look, progressed, endpoint } = o
    const [bytes, handedOver] = [this.end - session.acked, o.handedOver - session.acked]
    const heard = o.heardTo - session.acked
    this.#watch.note({ outcome, look, progressed, endpoint, bytes, handedOver, heard, durationMs })
    if (this.mostBytes < before) this.#logSize(session)
  }

  /** Smaller ones from now on, for all sessions of the host; false when they are as small as makes sense. */
  shrink(session: PlannedSession, endpoint: string, said: number | undefined): boolean {
    this.#context.bodies.refused(endpoint, this.end - session.acked, said)
    if (this.mostBytes < LEAST_BODY_BYTES) return false
    this.#logSize(session)
    return true
  }

  /** None is on its way any more. */
  leave(): void {
    this.#watch.leave()
  }

  #logSize(session: PlannedSession): void {
    const maxBodyBytes = this.mostBytes
    this.#context.log.emit({ type: 'shrunk', ...nameSession(this.#context, session), maxBodyBytes })
  }
}
