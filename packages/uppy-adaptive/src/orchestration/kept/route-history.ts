import * as v from 'valibot'
import type { Clock, JournalStorage } from '../ports.js'
import { readStored } from './stored-json.js'

/** Beside the journal's entries, `uploads` and `upload:…`. */
const KEY = 'routes'
/** Guess: what made a path silent is over by then, or the next upload notices it again. */
const FIRST_AWAY_MS = 5 * 60_000
/** Guess: a path that is left again and again is worth a try every hour. */
const LONGEST_AWAY_MS = 60 * 60_000
/** Guess: another day is another network. */
const EXPIRES_MS = 24 * 60 * 60_000
const MOST_HOSTS = 32
/** Of the longest host names: anything longer is none of ours. */
const LONGEST_TEXT = 16 * 1024
/** More say no more. */
const MOST_TIMES = 100

interface Past {
  /** When it was left last, by the wall clock, ms since 1970. */
  readonly leftAt: number
  /** How often it was left, with less than a day between. */
  readonly times: number
  /** Bytes went by it since. */
  readonly isBack: boolean
}

const Memory = v.object({
  version: v.literal(1),
  hosts: v.record(
    v.string(),
    v.object({
      leftAt: v.number(),
      times: v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(MOST_TIMES)),
      isBack: v.boolean(),
    }),
  ),
})

/** What is known of routes by their hosts (name and port): of all uploads of a page or process. */
export type Pasts = Map<string, Past>

/**
 * Which addresses of servers were left for their silence while another one answered, so that the next upload begins by
 * another where there is one: for five minutes, and twice as long each further time, up to an hour, unless bytes went by it
 * since. Kept over uploads and reloads by host name, of the last 32 hosts of a day.
 */
export class RouteHistory {
  readonly #clock: Pick<Clock, 'epochMs'>
  readonly #storage: JournalStorage | undefined
  readonly #pasts: Pasts

  constructor(o: { clock: Pick<Clock, 'epochMs'>; storage: JournalStorage | undefined; pasts: Pasts }) {
    this.#clock = o.clock
    this.#storage = o.storage
    this.#pasts = o.pasts
  }

  /** Once, before any server is asked. Never throws: without its memory an upload finds out for itself. */
  async recall(): Promise<void> {
    const text = await this.#storage?.get(KEY).catch(() => undefined)
    const stored = readStored(Memory, text, { longestText: LONGEST_TEXT })
    for (const [host, past] of Object.entries(stored?.hosts ?? {}))
      if (past.leftAt > (this.#pasts.get(host)?.leftAt ?? Number.NEGATIVE_INFINITY)) this.#pasts.set(host, past)
  }

  /** Nothing came back by it while another route to its store answered. */
  noteLeft(endpoint: string): void {
    const before = this.#fresh(endpoint)
    const times = Math.min(MOST_TIMES, (before?.times ?? 0) + 1)
    this.#set(endpoint, { leftAt: this.#clock.epochMs(), times, isBack: false })
  }

  /** Bytes that were sent by it have arrived. */
  noteUsed(endpoint: string): void {
    const past = this.#fresh(endpoint)
    if (past && !past.isBack) this.#set(endpoint, { ...past, isBack: true })
  }

  /** Whether an upload should begin by another route where there is one. */
  isAvoided(endpoint: string): boolean {
    const past = this.#fresh(endpoint)
    if (!past || past.isBack) return false
    const awayMs = Math.min(LONGEST_AWAY_MS, FIRST_AWAY_MS * 2 ** Math.min(past.times - 1, 10))
    return this.#clock.epochMs() - past.leftAt < awayMs
  }

  #fresh(endpoint: string): Past | undefined {
    // asked with every acknowledgement, and seldom is anything known
    const past = this.#pasts.size > 0 ? this.#pasts.get(hostOf(endpoint)) : undefined
    if (!past) return undefined
    const ageMs = this.#clock.epochMs() - past.leftAt
    // a clock that was put back knows nothing of when
    return ageMs >= 0 && ageMs < EXPIRES_MS ? past : undefined
  }

  #set(endpoint: string, past: Past): void {
    const host = hostOf(endpoint)
    this.#pasts.delete(host)
    this.#pasts.set(host, past)
    const [oldest] = this.#pasts.keys()
    if (this.#pasts.size > MOST_HOSTS && oldest !== undefined) this.#pasts.delete(oldest)
    const hosts = Object.fromEntries(this.#pasts)
    void this.#storage?.set(KEY, JSON.stringify({ version: 1, hosts })).catch(() => {})
  }
}

function hostOf(endpoint: string): string {
  return new URL(endpoint).host
}
