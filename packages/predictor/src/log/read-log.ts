import type { LogEvent } from './log-event.js'
import { type Refusal, readLine } from './log-line.js'

/** A log as it was read from somewhere. */
export interface LogText {
  /** What it is called in reports and models: the file's name, with as many directories as tell it from other logs. */
  readonly name: string
  readonly text: string
  /** Lower-case hexadecimal, of the file's bytes. */
  readonly sha256: string
}

export interface LogReport {
  readonly name: string
  readonly sha256: string
  readonly lines: number
  /** Lines of which something can be learned. */
  readonly used: number
  /** Sound lines of which nothing is learned. */
  readonly unused: number
  /** Events that their writer has numbered and that are not here. */
  readonly missing: number
  readonly refused: readonly Refused[]
}

export interface Refused {
  readonly reason: Refusal
  readonly count: number
  /** The first of them: its line, counted from 1, and what is wrong with it. */
  readonly firstLine: number
  readonly why: string
}

export interface ReadLog {
  readonly report: LogReport
  /** In the order of the file. */
  readonly events: readonly LogEvent[]
}

/** Reads NDJSON of the client or the server. Never throws: what cannot be read is left out and counted. */
export function readLog({ name, text, sha256 }: LogText): ReadLog {
  const events: LogEvent[] = []
  const refused = new Map<Refusal, { count: number; firstLine: number; why: string }>()
  const refuse = (reason: Refusal, firstLine: number, why: string): void => {
    const before = refused.get(reason)
    if (before) before.count += 1
    else refused.set(reason, { count: 1, firstLine, why })
  }
  const seen = new Set<string>()
  const numbers = new Numbers()
  const lines = text.split('\n')
  let filled = 0
  let unused = 0
  for (const [index, raw] of lines.entries()) {
    const line = raw.trim()
    if (line === '') continue
    filled += 1
    const read = readLine(line)
    if ('refused' in read) {
      // a whole last line ends with a newline: this one was being written
      const isCut = read.refused === 'notJson' && index === lines.length - 1
      refuse(isCut ? 'truncated' : read.refused, index + 1, isCut ? 'ends in the middle' : read.why)
    } else if (seen.has(line)) refuse('repeated', index + 1, 'stands in this log before')
    else {
      seen.add(line)
      numbers.take('event' in read ? read.event : read)
      if ('event' in read) events.push(read.event)
      else unused += 1
    }
  }
  const report = { name, sha256, lines: filled, used: events.length, unused, missing: numbers.missing }
  return { events, report: { ...report, refused: [...refused].map(([reason, rest]) => ({ reason, ...rest })) } }
}

/** The numbers that each upload's events have: from 1, without a gap where all are here. */
class Numbers {
  readonly #uploads = new Map<unknown, { seen: Set<number>; last: number }>()

  take({ upload, n }: { readonly upload?: unknown; readonly n?: unknown }): void {
    if (typeof n !== 'number' || n < 1) return
    const { seen, last } = this.#uploads.get(upload) ?? { seen: new Set(), last: 0 }
    this.#uploads.set(upload, { seen: seen.add(n), last: Math.max(n, last) })
  }

  get missing(): number {
    return [...this.#uploads.values()].reduce((sum, { seen, last }) => sum + last - seen.size, 0)
  }
}
