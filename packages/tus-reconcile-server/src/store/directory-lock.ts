import { rm } from 'node:fs/promises'
import { IndexError } from '../records/index-error.js'
import { LevelEntries } from '../records/level-index.js'

/**
 * Held by the one process that serves a directory, whatever index it has. It is the lock of an empty database, which
 * the operating system lets go when the process ends, however it ends: nothing stale is left for a human.
 */
export class DirectoryLock {
  readonly #path: string
  readonly #entries: LevelEntries

  /** @param path a folder of its own */
  constructor(path: string) {
    this.#path = path
    this.#entries = new LevelEntries({ directory: path })
  }

  /** @throws IndexError `directory-in-use` */
  async acquire(): Promise<void> {
    try {
      await this.#entries.open()
    } catch (error) {
      if (error instanceof IndexError && error.code === 'directory-in-use') throw error
      // the lock is taken before the database is read: this one is damaged, and nobody's
      await rm(this.#path, { recursive: true, force: true })
      await this.#entries.open()
    }
  }

  release(): Promise<void> {
    return this.#entries.close()
  }
}
