import { Pauses } from '../log/pauses.js'
import type { SessionRun, UploadRun } from '../log/upload-run.js'

export interface WrittenSession {
  store?: string
  startedMs?: number
  /** Of 100 kB each. */
  ackedAtMs: readonly number[]
  ending?: SessionRun['ending']
  endedMs?: number
  start?: number
  end?: number
  plannedMs?: number
}
/** Of each acknowledgement. */
export const BYTES = 100_000

/** An upload whose sessions are written down, named by their numbers. */
export function upload(...sessions: WrittenSession[]): UploadRun {
  const runs = sessions.map((each, index): [string, SessionRun] => [String(index), sessionOf(each, index)])
  const lists = { decisions: [], withheld: [], servers: new Map(), link: [], pauses: new Pauses(), scripts: [] }
  return {
    ...{ id: 'g', log: 'l', sizeBytes: 1e6, isPlain: false, startedAt: 0, end: undefined },
    ...lists,
    sessions: new Map(runs),
    lastMs: runs.reduce((last, [, { endedMs }]) => Math.max(last, endedMs), 0),
    ...{ outOfOrder: 0, misdated: 0 },
  }
}

function sessionOf(written: WrittenSession, index: number): SessionRun {
  const { ackedAtMs, store = `store ${index}`, startedMs = 0, start = 0, ending = 'completed', plannedMs } = written
  const end = written.end ?? ackedAtMs.length * BYTES
  return {
    ...{ session: String(index), partition: `p${index}`, store, server: index, kind: 'first', reason: 'window' },
    ...{ start, plannedEnd: end, end, startedMs, plannedMs, ending },
    acks: ackedAtMs.map((elapsedMs, count) => ({ elapsedMs, offset: (count + 1) * BYTES })),
    samples: [],
    endedMs: written.endedMs ?? ackedAtMs.at(-1) ?? startedMs,
    ...{ cause: undefined, learned: undefined, isLimitedByUs: false },
  }
}

export function steps(fromMs: number, toMs: number, everyMs: number): number[] {
  return Array.from({ length: Math.floor((toMs - fromMs) / everyMs) }, (_, index) => fromMs + (index + 1) * everyMs)
}
