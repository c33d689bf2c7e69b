import type { PlannedSession, StoreId } from '../../partitioning/partition-plan.js'
import type { SessionEnd } from '../failure-rules.js'
import { explainRefusal } from '../refusal-error.js'
import type { TransferContext } from '../transfer-context.js'
import { UploadError } from '../upload-error.js'

/** So many sessions ended by servers, without one completing between, are no accident. */
const MAX_ENDED_BY_SERVER = 5

/** Draws from how sessions end what that says of their servers: who is in doubt, who is left out, and when the upload fails. */
export class StoreVerdicts {
  readonly #context: TransferContext
  #endedByServer = 0

  constructor(context: TransferContext) {
    this.#context = context
  }

  noteCompleted(): void {
    this.#endedByServer = 0
  }

  /** A server that could not be reached, or wants none of it. */
  noteFailed({ store }: PlannedSession, end: Extract<SessionEnd, { kind: 'failed' }>): void {
    const { directory, clock, place } = this.#context
    if (end.code === 'network') return directory.suspect(store, end.cause, clock.now())
    if (store === place.store) return this.#context.fail(explainRefusal(this.#endpointOf(store), end))
    const code = end.code === 'full' ? 'server-full' : 'mirror-refused'
    directory.exclude(store, code, `${this.#endpointOf(store)} answered ${end.cause}: going on without it`)
  }

  /**
   * A session that its server ended by itself: once may be another page's doing, again and again is the group's end. What has
   * expired takes nothing more. True when its store is left out.
   */
  noteEnded({ store }: PlannedSession, state: string): boolean {
    const { directory, clock, plan, place, fail } = this.#context
    if (state === 'committed') {
      plan.verify([{ start: 0, end: plan.sizeBytes }])
      if (store !== place.store) directory.suspect(store, 'it says that a session is committed', clock.now())
      return false
    }
    if (state === 'expired' && store !== place.store) {
      leaveOutExpired(this.#context, store)
      return true
    }
    this.#endedByServer += 1
    if (this.#endedByServer > MAX_ENDED_BY_SERVER || state === 'expired')
      fail(new UploadError('gone', `the servers end every session of this upload (${state}): start it again`))
    directory.suspect(store, `it says that a session is ${state}`, clock.now())
    return false
  }

  #endpointOf(store: StoreId): string {
    return this.#context.directory.get(store)?.route.endpoint ?? store
  }
}

/** A mirror that has dropped its part of the upload takes no more of it. */
export function leaveOutExpired({ directory }: Pick<TransferContext, 'directory'>, store: StoreId): void {
  const endpoint = directory.get(store)?.route.endpoint ?? store
  const message = `${endpoint} has dropped what it had of this upload, and takes no more of it (expired): going on without it`
  directory.exclude(store, 'mirror-expired', message)
}
