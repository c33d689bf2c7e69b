import { findContents, formatContents } from './content-entries.js'
import type { ContentIndex } from './content-index.js'
import type { EntryWrites, KeyRange, OrderedEntries } from './ordered-entries.js'
import type { ChangeSource, DamagedEntry, GroupRecord, LoadedRecords, PartitionIndex } from './partition-index.js'
import { ALL_GROUPS, detailsOfGroup, formatChange, headerKey, isEnded, keysOfGroup } from './record-entries.js'
import { RecordReader } from './record-reader.js'
import { type Batch, type Failures, WriteQueue } from './write-queue.js'

/** Records of an earlier version that lie elsewhere. */
interface EarlierRecords {
  read(): Promise<readonly GroupRecord[]>
  /** They are kept here now: they are not read again. */
  retire(): Promise<void>
}

interface Taken {
  readonly writes: EntryWrites
  readonly hasEnded: boolean
}

/** An index over a database of ordered entries: one small entry per header, session and block. */
export class EntryIndex implements PartitionIndex {
  readonly contents: ContentIndex
  readonly #entries: OrderedEntries
  readonly #earlier: EarlierRecords | undefined
  readonly #queue: WriteQueue = new WriteQueue((batch) => this.#write(batch))
  /** Changes that were taken and could not be written: they go with the next of their group. */
  readonly #unwritten = new Map<string, Taken>()
  /** What belongs to nothing any more. It goes before anything else is written. */
  #leftovers: KeyRange[] = []

  constructor(entries: OrderedEntries, earlier?: EarlierRecords) {
    this.#entries = entries
    this.#earlier = earlier
    this.contents = {
      put: (added) => this.#queue.change({ kind: 'put', entries: added }),
      find: (scope, leaves) => findContents(entries, scope, leaves),
      removeFile: (fileId) => this.#queue.change({ kind: 'removeFile', fileId }),
    }
  }

  async load(): Promise<LoadedRecords> {
    await this.#entries.open()
    try {
      await this.#import()
      const reader = new RecordReader()
      for await (const [key, value] of this.#entries.entries(ALL_GROUPS)) reader.read(key, value)
      const { groups, damaged, leftovers } = reader.end()
      this.#leftovers.push(...leftovers)
      await this.#clearLeftovers()
      return { groups, damaged }
    } catch (error) {
      await this.#entries.close()
      throw error
    }
  }

  save(id: string, source: ChangeSource): Promise<void> {
    return this.#queue.save(id, source)
  }

  remove(id: string): Promise<void> {
    return this.#queue.remove(id)
  }

  async discard(damaged: readonly DamagedEntry[]): Promise<void> {
    await this.#entries.write(new Map(damaged.map(({ key }) => [key, null])))
    const headless = damaged.filter(({ key, group }) => key === headerKey(group))
    this.#leftovers.push(...headless.map(({ group }) => keysOfGroup(group)))
    await this.#clearLeftovers()
  }

  async close(): Promise<void> {
    await this.#queue.close()
    await this.#entries.close()
  }

  async #import(): Promise<void> {
    const records = (await this.#earlier?.read()) ?? []
    const writes = new Map(records.flatMap((record) => [...formatChange(record)]))
    if (writes.size > 0) await this.#entries.write(writes)
    await this.#earlier?.retire()
  }

  async #write(batch: Batch): Promise<Failures> {
    await this.#clearLeftovers()
    for (const [id, source] of batch.saved) this.#take(id, source)
    const failures = await settle(batch)
    const saved = [...batch.saved.keys()].filter((id) => !failures.has(id))
    const taken = new Map(saved.map((id) => [id, this.#unwritten.get(id)]))
    const writes = new Map([...taken.values()].flatMap((group) => [...(group?.writes ?? [])]))
    for (const id of batch.removed) writes.set(headerKey(id), null)
    await formatContents(this.#entries, batch.contents, writes)
    await this.#entries.write(writes)
    for (const id of [...saved, ...batch.removed]) this.#unwritten.delete(id)
    for (const [id, group] of taken) if (group?.hasEnded) this.#leftovers.push(detailsOfGroup(id))
    for (const id of batch.removed) this.#leftovers.push(keysOfGroup(id))
    // what cannot be cleared now is tried again before the next write
    await this.#clearLeftovers().catch(() => {})
    return failures
  }

  #take(id: string, source: ChangeSource): void {
    const change = source.takeChange()
    const before = this.#unwritten.get(id)?.writes ?? []
    this.#unwritten.set(id, {
      writes: new Map([...before, ...formatChange(change)]),
      hasEnded: isEnded(change.header),
    })
  }

  async #clearLeftovers(): Promise<void> {
    for (let range = this.#leftovers[0]; range; range = this.#leftovers[0]) {
      await this.#entries.clear(range)
      this.#leftovers.shift()
    }
  }
}

/** Bytes first, then the record that speaks of them. */
async function settle(batch: Batch): Promise<Failures> {
  const failures = new Map<string, unknown>()
  const settling = [...batch.saved].map(([id, source]) =>
    source.settleBytes?.().catch((cause: unknown) => failures.set(id, cause)),
  )
  await Promise.all(settling)
  return failures
}
