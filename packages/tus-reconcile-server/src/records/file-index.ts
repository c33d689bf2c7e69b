import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { parseGroupRecords } from './group-record-parser.js'
import type { GroupRecord, PartitionIndex } from './partition-index.js'

/** Between two writes of the file: acknowledgements of many sessions share one (guess: far below any round trip). */
const MIN_INTERVAL_MS = 5

/**
 * All groups in one JSON file, replaced atomically. One write at a time; what is saved meanwhile goes into the next.
 * Kept in memory: the JSON text of each group, so that only what changed is formatted again.
 */
export class FileIndex implements PartitionIndex {
  readonly #path: string
  readonly #texts = new Map<string, string>()
  readonly #dirty = new Map<string, (() => GroupRecord) | null>()
  #next: Promise<void> | undefined
  #current: Promise<void> = Promise.resolve()
  #closed = false

  constructor(path: string) {
    this.#path = path
  }

  async load(): Promise<readonly GroupRecord[]> {
    await mkdir(dirname(this.#path), { recursive: true })
    await rm(this.#temporary, { force: true })
    const text = await readFile(this.#path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    if (text === undefined) return []
    const records = parseGroupRecords(JSON.parse(text))
    for (const record of records) this.#texts.set(record.id, JSON.stringify(record))
    return records
  }

  save(id: string, snapshot: () => GroupRecord): Promise<void> {
    this.#dirty.set(id, snapshot)
    return this.#schedule()
  }

  remove(id: string): Promise<void> {
    this.#dirty.set(id, null)
    return this.#schedule()
  }

  async close(): Promise<void> {
    if (this.#dirty.size > 0 && !this.#closed) await this.#schedule()
    this.#closed = true
    await this.#current.catch(() => {})
  }

  get #temporary(): string {
    return `${this.#path}.tmp`
  }

  #schedule(): Promise<void> {
    if (this.#closed) return Promise.reject(new Error('the index is closed'))
    this.#next ??= this.#writeAfter(this.#current)
    return this.#next
  }

  async #writeAfter(previous: Promise<void>): Promise<void> {
    await previous.catch(() => {})
    const write = this.#write()
    this.#current = write
    await write
  }

  async #write(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, MIN_INTERVAL_MS))
    this.#next = undefined
    const taken = new Map(this.#dirty)
    this.#dirty.clear()
    for (const [id, snapshot] of taken) {
      if (snapshot) this.#texts.set(id, JSON.stringify(snapshot()))
      else this.#texts.delete(id)
    }
    try {
      await writeFile(this.#temporary, `{"version":1,"groups":[${[...this.#texts.values()].join(',\n')}]}\n`)
      await rename(this.#temporary, this.#path)
    } catch (error) {
      // what could not be written is taken again by the next write
      for (const [id, snapshot] of taken) if (!this.#dirty.has(id)) this.#dirty.set(id, snapshot)
      await rm(this.#temporary, { force: true }).catch(() => {})
      throw error
    }
  }
}
