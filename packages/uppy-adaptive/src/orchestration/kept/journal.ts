import { encodeDigest } from 'tus-reconcile-protocol'
import * as v from 'valibot'
import type { EventLog } from '../log/event-log.js'
import type { Clock, Digester, JournalStorage, Source } from '../ports.js'
import { toError } from '../upload-error.js'
import type { FileState } from './file-state.js'
import { readFileState } from './file-state.js'
import { readStored } from './stored-json.js'

/** All entries by their keys, and when each was begun: a storage cannot be asked what it has. */
const INDEX = 'uploads'
/** Entries are named by a digest, so that neither a file's name nor what an address may hold is stored. */
const PREFIX = 'upload:'
/** Guess: nobody comes back later, and servers keep unfinished uploads for a day unless they are told otherwise. */
const EXPIRES_MS = 30 * 24 * 60 * 60 * 1000
/** Guess: more than anybody has unfinished. With the longest URLs they are a tenth of what localStorage takes. */
const MOST_ENTRIES = 100
const LONGEST_URL = 2_048
/** An entry or an index of ours is never longer. */
const LONGEST_TEXT = 16 * 1024

/** Where an upload is: a group at its home, or the URL of an upload to a plain server. */
export type Whereabouts =
  /** `any`: it was opened so that another store than its home may commit it. */
  | { readonly kind: 'group'; readonly group: string; readonly homeId: string; readonly any?: boolean | undefined }
  | { readonly kind: 'plain'; readonly url: string }

/** What is remembered of an unfinished upload: names, and what its file was. No headers and no metadata. */
export type JournalEntry = Whereabouts & FileState & { readonly version: 2; readonly startedAt: number }

const state = {
  version: v.literal(2),
  /** Wall clock, ms since 1970. */
  startedAt: v.number(),
  sizeBytes: v.number(),
  modifiedAt: v.optional(v.number()),
  mark: v.string(),
}

const Entry = v.variant('kind', [
  v.object({
    ...{ kind: v.literal('group'), group: v.string(), homeId: v.string(), any: v.optional(v.boolean()) },
    ...state,
  }),
  v.object({ kind: v.literal('plain'), url: v.string(), ...state }),
])
const Index = v.object({ version: v.literal(2), uploads: v.record(v.string(), v.number()) })

/** Changes of each storage's index, one after another: uploads of one page begin together. */
const tidying = new WeakMap<JournalStorage, Promise<void>>()

/** A file of which something is remembered: what that is, and what the file is now. */
export interface KnownFile {
  readonly entry: JournalEntry
  readonly file: FileState
}

interface JournalParts {
  readonly storage: JournalStorage | undefined
  readonly clock: Pick<Clock, 'epochMs'>
  readonly digester: Digester
  readonly log: EventLog
  readonly endpoint: string
}

/**
 * Remembers where an upload is, so that a reload or a crash goes on with it: what of it is stored the servers say. Uploads
 * do not depend on it: a storage that fails is a warning. Of each storage the last 100 uploads of 30 days are kept.
 */
export class Journal {
  readonly #parts: JournalParts
  #key: string | undefined
  #file: FileState | undefined
  /** As it is remembered, or would be if the storage did not fail. */
  #entry: JournalEntry | undefined
  #isWarned = false

  constructor(parts: JournalParts) {
    this.#parts = parts
  }

  /** Of the file and its server, once it was opened; undefined of a file without a name. */
  get name(): string | undefined {
    return this.#key
  }

  /** Where the upload is, as it was remembered last. */
  get where(): Whereabouts | undefined {
    const entry = this.#entry
    if (entry?.kind === 'plain') return { kind: 'plain', url: entry.url }
    return entry && { kind: 'group', group: entry.group, homeId: entry.homeId, any: entry.any }
  }

  /** What is remembered of this file, and what the file is now. Nothing of a file without a name. */
  async open(source: Source): Promise<KnownFile | undefined> {
    const { storage, digester, endpoint } = this.#parts
    if (source.fingerprint === undefined) return undefined
    const { sizeBytes, modifiedAt } = source
    // what stays in memory alone has no file to be mistaken for
    this.#file = storage ? await readFileState(source, digester) : { sizeBytes, modifiedAt, mark: '' }
    const key =
      PREFIX + encodeDigest(await digester.digest(new TextEncoder().encode(`${endpoint}|${source.fingerprint}`)))
    this.#key = key
    const stored = readStored(Entry, await this.#try((place) => place.get(key)), { longestText: LONGEST_TEXT })
    this.#entry = stored ?? this.#entry
    return this.#entry && { entry: this.#entry, file: this.#file }
  }

  async remember(where: Whereabouts): Promise<void> {
    const [key, file] = [this.#key, this.#file]
    if (key === undefined || file === undefined) return
    const startedAt = this.#parts.clock.epochMs()
    const entry: JournalEntry = { version: 2, startedAt, ...where, ...file }
    this.#entry = entry
    if (where.kind === 'plain' && where.url.length > LONGEST_URL) return
    await this.#try(async (storage) => {
      await storage.set(key, JSON.stringify(entry))
      await this.#change(storage, (uploads) => uploads.set(key, startedAt))
    })
  }

  async forget(): Promise<void> {
    const key = this.#key
    if (key === undefined || this.#entry === undefined) return
    this.#entry = undefined
    await this.#try(async (storage) => {
      await storage.delete(key)
      await this.#change(storage, (uploads) => uploads.delete(key))
    })
  }

  #change(storage: JournalStorage, change: (uploads: Map<string, number>) => void): Promise<void> {
    const changed = (tidying.get(storage) ?? Promise.resolve()).then(() => this.#tidy(storage, change))
    tidying.set(
      storage,
      changed.catch(() => {}),
    )
    return changed
  }

  /** Of two pages that do this at once one may lose a row: its entry then stays until its file is uploaded again. */
  async #tidy(storage: JournalStorage, change: (uploads: Map<string, number>) => void): Promise<void> {
    const text = await storage.get(INDEX)
    const stored = readStored(Index, text, { longestText: LONGEST_TEXT })
    const uploads = new Map(Object.entries(stored?.uploads ?? {}).filter(([key]) => key.startsWith(PREFIX)))
    change(uploads)
    const nowMs = this.#parts.clock.epochMs()
    const newestFirst = [...uploads].sort((a, b) => b[1] - a[1])
    const kept = newestFirst.slice(0, MOST_ENTRIES).filter(([, startedAt]) => nowMs - startedAt <= EXPIRES_MS)
    const isKept = new Set(kept.map(([key]) => key))
    for (const [key] of newestFirst) if (!isKept.has(key)) await storage.delete(key)
    if (kept.length === 0) return text === undefined ? undefined : storage.delete(INDEX)
    await storage.set(INDEX, JSON.stringify({ version: 2, uploads: Object.fromEntries(kept) }))
  }

  async #try<T>(step: (storage: JournalStorage) => Promise<T>): Promise<T | undefined> {
    const { storage } = this.#parts
    if (!storage) return undefined
    try {
      return await step(storage)
    } catch (error) {
      this.#warn(toError(error))
      return undefined
    }
  }

  #warn({ message: why }: Error): void {
    if (this.#isWarned) return
    this.#isWarned = true
    const message = `where the upload is cannot be remembered (${why}): after a reload it begins anew; name another place as journal, or false`
    this.#parts.log.emit({ type: 'warning', code: 'journal-failed', message })
  }
}
