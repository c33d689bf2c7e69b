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

/** What is remembered of an unfinished upload to a plain server: no headers and no metadata. */
export interface PlainEntry {
  readonly version: 1
  readonly url: string
  readonly sizeBytes: number
}

const Plain = v.object({ version: v.literal(1), url: v.string(), sizeBytes: v.number() })

/** One entry in a storage; without a storage or a key nothing is remembered. */
class Remembered<T> {
  readonly #storage: JournalStorage | undefined
  readonly #key: string | undefined
  readonly #schema: v.GenericSchema<unknown, T>

  constructor(storage: JournalStorage | undefined, key: string | undefined, schema: v.GenericSchema<unknown, T>) {
    this.#storage = storage
    this.#key = key
    this.#schema = schema
  }

  /** Undefined when nothing usable is remembered; a damaged entry is as good as none. */
  async recall(): Promise<T | undefined> {
    const text = this.#key && (await this.#storage?.get(this.#key))
    if (!text) return undefined
    try {
      const result = v.safeParse(this.#schema, JSON.parse(text))
      return result.success ? result.output : undefined
    } catch {
      return undefined
    }
  }

  async remember(entry: T): Promise<void> {
    if (this.#key) await this.#storage?.set(this.#key, JSON.stringify(entry))
  }

  async forget(): Promise<void> {
    if (this.#key) await this.#storage?.delete(this.#key)
  }
}

/** Remembers which group a file belongs to, so that a reload or a crash goes on with it. */
export class Journal extends Remembered<JournalEntry> {
  constructor(storage: JournalStorage | undefined, source: Source, endpoint: string) {
    super(storage, source.fingerprint && `${endpoint}|${source.fingerprint}`, Entry)
  }
}

/** Remembers where a file's upload to a plain server is. */
export class PlainJournal extends Remembered<PlainEntry> {
  constructor(storage: JournalStorage | undefined, source: Source, endpoint: string) {
    super(storage, source.fingerprint && `${endpoint}|plain|${source.fingerprint}`, Plain)
  }
}
