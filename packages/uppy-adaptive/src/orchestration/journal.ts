import * as v from 'valibot'
import type { JournalStorage, Source } from './ports.js'

/** What is remembered of an unfinished upload: names only, no headers and no metadata. */
export interface JournalEntry {
  readonly version: 1
  readonly group: string
  readonly homeId: string
  readonly sizeBytes: number
  /** Wall clock, ms since 1970. */
  readonly startedAt: number
}

const Entry = v.object({
  version: v.literal(1),
  group: v.string(),
  homeId: v.string(),
  sizeBytes: v.number(),
  startedAt: v.number(),
})

/** Remembers which group a file belongs to, so that a reload or a crash goes on with it. */
export class Journal {
  readonly #storage: JournalStorage | undefined
  readonly #key: string | undefined

  constructor(storage: JournalStorage | undefined, source: Source, endpoint: string) {
    this.#storage = storage
    this.#key = source.fingerprint && `${endpoint}|${source.fingerprint}`
  }

  /** Undefined when nothing usable is remembered; a damaged entry is as good as none. */
  async recall(): Promise<JournalEntry | undefined> {
    const text = this.#key && (await this.#storage?.get(this.#key))
    if (!text) return undefined
    try {
      const result = v.safeParse(Entry, JSON.parse(text))
      return result.success ? result.output : undefined
    } catch {
      return undefined
    }
  }

  async remember(entry: JournalEntry): Promise<void> {
    if (this.#key) await this.#storage?.set(this.#key, JSON.stringify(entry))
  }

  async forget(): Promise<void> {
    if (this.#key) await this.#storage?.delete(this.#key)
  }
}
