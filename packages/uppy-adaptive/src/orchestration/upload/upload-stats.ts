import type { LoggedEvent } from '../log/event-log.js'

/** Counts over one upload. */
export interface UploadStats {
  readonly elapsedMs: number
  readonly partitions: number
  readonly splits: number
  readonly takeOvers: number
  readonly copies: number
  readonly superseded: number
  readonly cuts: number
  readonly reconnects: number
  /** Time from the last byte's verification to the committed file. */
  readonly commitMs: number
}

export function summarize(events: readonly LoggedEvent[]): UploadStats {
  const count = (type: LoggedEvent['type']) => events.filter((event) => event.type === type).length
  const committed = events.findLast((event) => event.type === 'committed')
  return {
    elapsedMs: events.at(-1)?.elapsedMs ?? 0,
    partitions: events.filter((event) => event.type === 'session' && event.kind !== 'copy').length,
    splits: count('split'),
    takeOvers: count('takeOver'),
    copies: count('copy'),
    superseded: count('superseded'),
    cuts: count('cut'),
    reconnects: count('reconnect'),
    commitMs: committed?.type === 'committed' ? committed.waitMs : 0,
  }
}
