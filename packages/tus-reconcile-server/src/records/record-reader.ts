import * as v from 'valibot'
import type { KeyRange } from './ordered-entries.js'
import type { DamagedEntry, GroupRecord, LoadedRecords } from './partition-index.js'
import { detailsOfGroup, isEnded, keysOfGroup, parseEntry } from './record-entries.js'
import {
  BadSchema,
  BlockSchema,
  ClaimSchema,
  ElsewhereSchema,
  HeaderSchema,
  ReportSchema,
  SessionSchema,
} from './record-schemas.js'

/** What is read, entry by entry in the order of keys, becomes records. @throws IndexError `newer-records` */
export class RecordReader {
  readonly #groups: GroupRecord[] = []
  readonly #damaged: DamagedEntry[] = []
  readonly #leftovers: KeyRange[] = []
  #current: DraftRecord | undefined

  read(key: string, value: string): void {
    const [, id = '', ...path] = key.split('/').map(decodeURIComponent)
    if (this.#current?.id !== id) this.#finish()
    const draft = this.#current?.id === id ? this.#current : new DraftRecord(id)
    this.#current = draft
    try {
      draft.add(path, parseEntry(value))
    } catch (error) {
      if (!(error instanceof v.ValiError)) throw error
      if (path[0] === 'header') draft.isDamaged = true
      const place = v.getDotPath(error.issues[0])
      this.#damaged.push({ key, group: id, reason: place === null ? error.message : `${place}: ${error.message}` })
    }
  }

  /** `leftovers` hold what belongs to nothing any more. */
  end(): LoadedRecords & { readonly leftovers: readonly KeyRange[] } {
    this.#finish()
    return { groups: this.#groups, damaged: this.#damaged, leftovers: this.#leftovers }
  }

  #finish(): void {
    const draft = this.#current
    if (!draft || draft.isDamaged) return
    const { header, parts, hasDetails } = draft
    if (!header) this.#leftovers.push(keysOfGroup(draft.id))
    else if (!isEnded(header)) this.#groups.push({ header, ...parts })
    else {
      const none = { blocks: [], claims: [], bad: [], reports: [], elsewhere: [] }
      this.#groups.push({ header, sessions: parts.sessions, ...none })
      if (hasDetails) this.#leftovers.push(detailsOfGroup(draft.id))
    }
  }
}

type Draft<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer Item)[] ? Item[] : T[K] }

/** What has been read of a group so far. */
class DraftRecord {
  readonly id: string
  header: GroupRecord['header'] | undefined
  readonly parts: Draft<Omit<GroupRecord, 'header'>> = {
    ...{ sessions: [], blocks: [], claims: [], bad: [], reports: [], elsewhere: [] },
  }
  hasDetails = false
  /** Its header cannot be read. */
  isDamaged = false

  constructor(id: string) {
    this.id = id
  }

  add([kind, ...path]: readonly string[], data: unknown): void {
    if (kind === 'header') this.header = v.parse(HeaderSchema, data)
    else if (kind === 'session') this.parts.sessions.push(v.parse(SessionSchema, data))
    else if (kind === 'detail') {
      this.hasDetails = true
      this.#addDetail(path, data)
    }
  }

  #addDetail([kind, ...path]: readonly string[], data: unknown): void {
    const { parts } = this
    const index = Number(path.at(-1))
    if (kind === 'block') parts.blocks.push([index, v.parse(BlockSchema, data)])
    else if (kind === 'claim') parts.claims.push([index, v.parse(ClaimSchema, data)])
    else if (kind === 'bad') parts.bad.push([index, v.parse(BadSchema, data)])
    else if (kind === 'report') parts.reports.push([path[0] ?? '', index, v.parse(ReportSchema, data)])
    else if (kind === 'elsewhere') parts.elsewhere = [...v.parse(ElsewhereSchema, data)]
  }
}
