import { createReadStream } from 'node:fs'
import { open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { ByteRange } from 'tus-reconcile-protocol'
import { rangeLength } from 'tus-reconcile-protocol'
import type { JournalStorage, Source } from '../orchestration/ports.js'
import { toError, UploadError } from '../orchestration/upload-error.js'
import type { Platform } from './platform.js'

export const platform: Platform = {
  openPath,
  openJournalFile,
  defaultJournal: () => undefined,
  page: { watch: () => () => {}, isSavingData: () => false },
  openTurns: () => undefined,
  openConnections: () => ({ most: () => Number.POSITIVE_INFINITY, areMultiplexed: () => false }),
}

async function openPath(path: string): Promise<Source> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw new UploadError('source-unreadable', `${path} cannot be read (${toError(cause).message})`, { cause })
  })
  const before = await file.stat()
  if (!before.isFile()) {
    await file.close()
    throw new UploadError('source-unreadable', `${path} is no ordinary file`)
  }
  const sizeBytes = before.size
  const refuseChange = async () => {
    const now = await stat(path).catch(() => undefined)
    if (now?.size !== sizeBytes || now.mtimeMs !== before.mtimeMs) {
      throw new UploadError('source-changed', `${path} changed while it was uploaded: upload it again`)
    }
  }
  return {
    sizeBytes,
    contentType: undefined,
    fingerprint: `path:${resolve(path)}`,
    modifiedAt: before.mtimeMs,
    body: async (range) => {
      await refuseChange()
      // the stack reads the length from `size`; without it the body would go out chunked (TOOLCHAIN)
      return Object.assign(createReadStream(path, { start: range.start, end: range.end - 1 }), {
        size: rangeLength(range),
      })
    },
    read: async (range) => {
      await refuseChange()
      return readRange(file, path, range)
    },
    close: () => file.close(),
  }
}

async function readRange(file: Awaited<ReturnType<typeof open>>, path: string, range: ByteRange): Promise<Uint8Array> {
  const bytes = new Uint8Array(rangeLength(range))
  let filled = 0
  while (filled < bytes.length) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, range.start + filled)
    if (bytesRead === 0)
      throw new UploadError('source-changed', `${path} became shorter while it was uploaded: upload it again`)
    filled += bytesRead
  }
  return bytes
}

/** Of each file, so that all uploads of this process that use it change it one after another. */
const openJournals = new Map<string, FileJournal>()

function openJournalFile(path: string): JournalStorage {
  const known = openJournals.get(resolve(path))
  if (known) return known
  const journal = new FileJournal(path)
  openJournals.set(resolve(path), journal)
  return journal
}

/** One JSON object in one file, replaced whole, written one change after another. */
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
    return this.#next(async () => this.#write({ ...(await this.#read()), [key]: value }))
  }

  delete(key: string): Promise<void> {
    return this.#next(async () => {
      const { [key]: _, ...others } = await this.#read()
      await this.#write(others)
    })
  }

  #next<T>(step: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(step)
    this.#queue = result.catch(() => {})
    return result
  }

  async #read(): Promise<Record<string, string>> {
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

  async #write(entries: Record<string, string>): Promise<void> {
    if (Object.keys(entries).length === 0) return rm(this.#path, { force: true })
    const temporary = `${this.#path}.${process.pid}.tmp`
    await writeFile(temporary, JSON.stringify(entries))
    await rename(temporary, this.#path)
  }
}
