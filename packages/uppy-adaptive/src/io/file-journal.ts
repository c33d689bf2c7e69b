import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { JournalStorage } from '../orchestration/ports.js'
import { UploadError } from '../orchestration/upload-error.js'
import { underLock } from './file-lock.js'

/** Of each file, so that all uploads of this process that use it change it one after another. */
const openJournals = new Map<string, FileJournal>()

export function openJournalFile(path: string): JournalStorage {
  const known = openJournals.get(resolve(path))
  if (known) return known
  const journal = new FileJournal(path)
  openJournals.set(resolve(path), journal)
  return journal
}

type Entries = Readonly<Record<string, string>>

/** One JSON object in one file, replaced whole; changes, also other processes', are made one after another. */
class FileJournal implements JournalStorage {
  readonly #path: string
  #queue: Promise<unknown> = Promise.resolve()

  constructor(path: string) {
    this.#path = path
  }

  get(key: string): Promise<string | undefined> {
    return this.#next(async () => (await this.#read())[key])
  }

  set(key: string, value: string): Promise<void> {
    return this.#change((entries) => ({ ...entries, [key]: value }))
  }

  delete(key: string): Promise<void> {
    return this.#change(({ [key]: _, ...others }) => others)
  }

  #change(change: (entries: Entries) => Entries): Promise<void> {
    return this.#next(() => underLock(`${this.#path}.lock`, async () => this.#write(change(await this.#read()))))
  }

  #next<T>(step: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(step)
    this.#queue = result.catch(() => {})
    return result
  }

  async #read(): Promise<Entries> {
    const text = await readFile(this.#path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '{}'
      throw new UploadError(
        'bad-option',
        `journal: ${this.#path} cannot be read (${error.message}): name a file that can`,
        { cause: error },
      )
    })
    try {
      const json: unknown = JSON.parse(text)
      if (typeof json !== 'object' || json === null) return {}
      return Object.fromEntries(
        Object.entries(json).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
      )
    } catch {
      // damaged: nothing of it can be trusted, and it is written anew
      return {}
    }
  }

  async #write(entries: Entries): Promise<void> {
    if (Object.keys(entries).length === 0) return rm(this.#path, { force: true })
    const temporary = `${this.#path}.tmp`
    await writeFile(temporary, JSON.stringify(entries))
    await rename(temporary, this.#path)
  }
}
