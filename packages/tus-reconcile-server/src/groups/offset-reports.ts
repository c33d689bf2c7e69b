import type { Group } from './group.js'
import type { Session } from './session.js'
import { acknowledgedOffset } from './sessions.js'

/** At most one report per session in this time; the last offset is always reported. */
const INTERVAL_MS = 100

/** Turns arriving bytes into recorded offsets that may be told: an offset event is an acknowledgement. */
export class OffsetReports {
  /** Of sessions that have a report to come, or one that is being recorded: none of these gets a second one. */
  readonly #timers = new Map<Session, ReturnType<typeof setTimeout>>()
  #isClosed = false

  note(group: Group, session: Session): void {
    if (this.#isClosed || this.#timers.has(session)) return
    this.#timers.set(
      session,
      setTimeout(() => void this.#report(group, session), INTERVAL_MS),
    )
  }

  close(): void {
    this.#isClosed = true
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }

  async #report(group: Group, session: Session): Promise<void> {
    // what cannot be recorded is not told; the answer says why
    const offset = await acknowledgedOffset(group, session).catch(() => undefined)
    this.#timers.delete(session)
    if (offset === undefined || group.hasEnded || this.#isClosed) return
    group.notify({ kind: 'offset', group, session, offset })
    if (session.offset !== offset) this.note(group, session)
  }
}
