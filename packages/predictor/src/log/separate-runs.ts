import type { LogEvent } from './log-event.js'

/** The events of one run of one upload, in their order. */
export interface RunEvents {
  /** The log that tells of it first. */
  readonly log: string
  readonly events: readonly LogEvent[]
  readonly outOfOrder: number
}

export interface NamedEvents {
  readonly name: string
  readonly events: readonly LogEvent[]
}

/** Events of one log that an earlier one has as well: they count once. */
export interface Overlap {
  readonly log: string
  readonly earlier: string
  readonly events: number
}

interface UploadEvents {
  readonly log: string
  readonly events: LogEvent[]
  outOfOrder: number
}

/**
 * Sorts the events of some logs by upload and run. Uploads may be mixed in one log, where their events name them, and one
 * upload may stand in several logs: whole in both, or longer in one. Its events have numbers, and count once.
 */
export function separateRuns(logs: readonly NamedEvents[]): { runs: RunEvents[]; overlaps: Overlap[] } {
  const known = new KnownEvents()
  const uploads: UploadEvents[] = []
  for (const { name, events } of logs) {
    for (const upload of uploadsOf(name, events)) {
      const same = logs.length > 1 ? known.take(upload) : undefined
      if (same === undefined) uploads.push(upload)
    }
  }
  return { runs: uploads.flatMap(runsOfUpload), overlaps: known.overlaps }
}

/** Scripts belong to where they stand. */
function uploadsOf(log: string, events: readonly LogEvent[]): UploadEvents[] {
  const uploads = new Map<string | undefined, UploadEvents>()
  let latest = events.find(({ upload }) => upload !== undefined)?.upload
  for (const event of events) {
    if (event.type === 'atServer') continue
    if (event.type !== 'script') latest = event.upload
    const upload = uploads.get(latest) ?? { log, events: [], outOfOrder: 0 }
    uploads.set(latest, upload)
    upload.events.push(event)
  }
  return [...uploads.values()]
}

/** Which upload has an event, over all logs so far. */
class KnownEvents {
  readonly #owners = new Map<string, UploadEvents>()
  readonly #overlaps = new Map<string, { log: string; earlier: string; events: number }>()

  get overlaps(): Overlap[] {
    return [...this.#overlaps.values()]
  }

  /** What is new of the upload joins the one that it shares events with, which is returned. */
  take(upload: UploadEvents): UploadEvents | undefined {
    const keys = upload.events.map(keyOf)
    const sharedKey = keys.find((key) => this.#owners.has(key))
    const same = sharedKey === undefined ? undefined : this.#owners.get(sharedKey)
    let shared = 0
    for (const [index, event] of upload.events.entries()) {
      const key = keys[index] ?? ''
      if (this.#owners.has(key)) shared += 1
      else {
        this.#owners.set(key, same ?? upload)
        same?.events.push(event)
      }
    }
    if (same !== undefined) this.#count({ log: upload.log, earlier: same.log }, shared)
    return same
  }

  #count(of: { log: string; earlier: string }, events: number): void {
    const key = JSON.stringify([of.log, of.earlier])
    this.#overlaps.set(key, { ...of, events: events + (this.#overlaps.get(key)?.events ?? 0) })
  }
}

/** An upload's name is short, and a number comes again in each upload: together with the time they are one event's. */
function keyOf(event: LogEvent): string {
  const { upload, n, at, type } = event
  return upload === undefined || n === undefined ? JSON.stringify(event) : `${upload} ${n} ${at} ${type}`
}

function runsOfUpload({ log, events }: UploadEvents): RunEvents[] {
  const isNumbered = events.every(({ type, n }) => type === 'script' || n !== undefined)
  if (isNumbered) {
    const { inOrder, outOfOrder } = sorted(events, ({ n = 0 }) => n)
    return separateStarts(inOrder).map((part, index) => ({
      log,
      events: part,
      outOfOrder: index === 0 ? outOfOrder : 0,
    }))
  }
  return separateStarts(events).map((part) => {
    const { inOrder, outOfOrder } = sorted(part, ({ elapsedMs }) => elapsedMs)
    return { log, events: inOrder, outOfOrder }
  })
}

/** By their places; scripts, which have none, after what they stand behind. */
function sorted(
  events: readonly LogEvent[],
  placeOf: (event: LogEvent) => number,
): { inOrder: LogEvent[]; outOfOrder: number } {
  let latest = 0
  let last = 0
  let outOfOrder = 0
  const placed = events.map((event) => {
    if (event.type !== 'script') last = placeOf(event)
    if (last < latest && event.type !== 'script') outOfOrder += 1
    latest = Math.max(latest, last)
    return { event, place: last }
  })
  return { inOrder: placed.sort((a, b) => a.place - b.place).map(({ event }) => event), outOfOrder }
}

const ENDS: ReadonlySet<string> = new Set(['committed', 'uploaded', 'cancelled', 'error'])

/** Several runs may follow each other; `server` and `started` begin one. */
function separateStarts(events: readonly LogEvent[]): LogEvent[][] {
  const parts: LogEvent[][] = [[]]
  let hasStarted = false
  let hasEnded = false
  for (const event of events) {
    const begins =
      (event.type === 'started' && hasStarted) ||
      (hasEnded && (event.type === 'server' || event.type === 'session' || event.type === 'started'))
    if (begins) {
      parts.push([])
      hasEnded = false
      hasStarted = false
    }
    hasStarted ||= event.type === 'started'
    hasEnded ||= ENDS.has(event.type)
    parts.at(-1)?.push(event)
  }
  return parts
}
