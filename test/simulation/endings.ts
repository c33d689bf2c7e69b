import type { LoggedEvent } from '../../packages/uppy-adaptive/src/orchestration/log/event-log.js'

/** What was ended though it lived, and what that cost. */
export interface EndingCosts {
  /** Requests that were ended for another connection or route. */
  readonly reconnects: number
  /** Sessions that were ended for another server. */
  readonly takeOvers: number
  /** How long they had been silent, all together. */
  readonly silentMs: number
  /** From their end to the next byte acknowledged in their place, all together. */
  readonly waitedMs: number
}

/** Follows one upload's events. */
export class Endings implements EndingCosts {
  reconnects = 0
  takeOvers = 0
  silentMs = 0
  waitedMs = 0
  /** Since when sessions wait for their next byte. */
  readonly #ofSessions = new Map<string, number>()
  /** Since when a range that was taken over waits for a session, by its begin. */
  readonly #ofRanges = new Map<number, number>()

  note(event: LoggedEvent): void {
    switch (event.type) {
      case 'reconnect':
        this.reconnects += 1
        this.silentMs += event.gapMs
        if (!this.#ofSessions.has(event.session)) this.#ofSessions.set(event.session, event.at)
        return
      case 'takeOver':
        this.takeOvers += 1
        this.silentMs += event.gapMs
        this.#ofRanges.set(event.range.start, this.#ofSessions.get(event.session) ?? event.at)
        return
      case 'session': {
        const sinceMs = this.#ofRanges.get(event.start)
        if (sinceMs !== undefined) this.#ofSessions.set(event.session, sinceMs)
        this.#ofRanges.delete(event.start)
        return
      }
      case 'acked':
        this.waitedMs += event.at - (this.#ofSessions.get(event.session) ?? event.at)
        this.#ofSessions.delete(event.session)
        return
    }
  }
}
