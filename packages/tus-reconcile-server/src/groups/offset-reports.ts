import type { Group } from './group.js'
import type { Session } from './session.js'
import { acknowledgedOffset } from './sessions.js'

/** At most one report per session in this time; the last offset is always reported. */
const INTERVAL_MS = 100

/** Turns arriving bytes into recorded offsets that may be told: an offset event is an acknowledgement. */
export class OffsetReports {
  readonly #timers = new Map<Session, ReturnType<typeof setTimeout>>()

  note(group: Group, session: Session): void {
    if (this.#timers.has(session)) return
    this.#timers.set(
      session,
      setTimeout(() => void this.#report(group, session), INTERVAL_MS),
    )
  }

  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }

  async #report(group: Group, session: Session): Promise<void> {
    this.#timers.delete(session)
    try {
      const offset = await acknowledgedOffset(group, session)
      if (!group.hasEnded) group.notify({ kind: 'offset', group, session, offset })
    } catch {
      // not recorded, so not told; the answer says why
    }
  }
}
