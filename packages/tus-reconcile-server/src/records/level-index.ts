import { cp, readdir } from 'node:fs/promises'
import { ClassicLevel } from 'classic-level'
import { EntryIndex } from './entry-index.js'
import { readFirstVersion, retireFirstVersion } from './first-version.js'
import { IndexError } from './index-error.js'
import type { EntryWrites, KeyRange, OrderedEntries } from './ordered-entries.js'

export interface LevelIndexOptions {
  /** The database's own folder; made if it is not there. */
  readonly directory: string
  /** Whether a batch is on the disk before it counts, so that a power cut takes nothing. Default: false. */
  readonly sync?: boolean
  /** The JSON file of groups that version 1 kept: read once, then set aside. Default: none. */
  readonly firstVersion?: string
}

/** Records in an embedded database (LevelDB), which one process at a time can open. */
export class LevelIndex extends EntryIndex {
  /** Errors of `load` are `IndexError`s: `directory-in-use`, `damaged-index`, `newer-records`, `damaged-records`. */
  constructor(options: LevelIndexOptions) {
    const { firstVersion } = options
    const earlier = {
      read: async () => (firstVersion === undefined ? [] : readFirstVersion(firstVersion)),
      retire: async () => (firstVersion === undefined ? undefined : retireFirstVersion(firstVersion)),
    }
    super(new LevelEntries(options), earlier)
  }
}

/**
 * Makes a database that cannot be opened one that can, of what can be read of it. The damaged one is kept beside it.
 * Returns where.
 */
export async function rebuildLevel(directory: string): Promise<string> {
  const kept = `${directory}.damaged-${new Date().toISOString().replace(/[:.]/g, '-')}`
  await cp(directory, kept, { recursive: true })
  await ClassicLevel.repair(directory)
  return kept
}

type Database = ClassicLevel<string, string>

export class LevelEntries implements OrderedEntries {
  readonly #directory: string
  readonly #sync: boolean
  #database: Database | undefined

  constructor(options: { readonly directory: string; readonly sync?: boolean }) {
    this.#directory = options.directory
    this.#sync = options.sync ?? false
  }

  async open(): Promise<void> {
    await refuseWithoutCurrent(this.#directory)
    const database: Database = new ClassicLevel(this.#directory)
    try {
      await database.open()
    } catch (error) {
      throw openingError(this.#directory, error)
    }
    this.#database = database
  }

  async write(writes: EntryWrites): Promise<void> {
    const steps = Array.from(writes, ([key, value]) =>
      value === null ? { type: 'del' as const, key } : { type: 'put' as const, key, value },
    )
    await this.#opened.batch(steps, { sync: this.#sync })
  }

  clear(range: KeyRange): Promise<void> {
    return this.#opened.clear({ gte: range.from, lt: range.to })
  }

  entries(range: KeyRange): AsyncIterable<readonly [key: string, value: string]> {
    return this.#opened.iterator({ gte: range.from, lt: range.to })
  }

  getMany(keys: readonly string[]): Promise<readonly (string | undefined)[]> {
    return this.#opened.getMany([...keys])
  }

  async close(): Promise<void> {
    const database = this.#database
    this.#database = undefined
    await database?.close()
  }

  get #opened(): Database {
    if (this.#database) return this.#database
    throw new IndexError('closed', `the index in ${this.#directory} is not open`)
  }
}

/** LevelDB would take a folder without `CURRENT` for a new one, and put its files aside. @throws IndexError */
async function refuseWithoutCurrent(directory: string): Promise<void> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const hasData = names.some((name) => /^\d+\.(log|ldb|sst)$/.test(name))
  if (hasData && !names.includes('CURRENT')) throw damagedIndex(directory)
}

function damagedIndex(directory: string, cause?: unknown): IndexError {
  const message = `the index in ${directory} cannot be opened: run tus-reconcile-server --check on the directory of the uploads`
  return new IndexError('damaged-index', message, { cause })
}

function openingError(directory: string, error: unknown): unknown {
  const cause = error instanceof Error ? error.cause : undefined
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code === 'LEVEL_LOCKED') {
    const message = `${directory} is in use: one process serves a directory at a time, so stop the other or name another directory`
    return new IndexError('directory-in-use', message, { cause })
  }
  if (code === 'LEVEL_CORRUPTION') return damagedIndex(directory, cause)
  return error
}
