import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { FileConfigstore } from '@tus/file-store'
import type { Upload } from '@tus/utils'
import { syncDirectory } from './syncing.js'

const SUFFIX = '.json'

/** What FileStore keeps of each upload, in the same files, but replaced whole: a crash leaves the old or the new one. */
export class FileConfigs extends FileConfigstore<Upload> {
  readonly #temporary: string
  readonly #isDurable: boolean

  /** @param temporary a folder of the same file system, which may be emptied while nothing is being set */
  constructor(directory: string, temporary: string, isDurable: boolean) {
    super(directory)
    this.#temporary = temporary
    this.#isDurable = isDurable
  }

  override async set(key: string, value: Upload): Promise<void> {
    const path = join(this.directory, `${key}${SUFFIX}`)
    const temporary = join(this.#temporary, randomUUID())
    try {
      await mkdir(this.#temporary, { recursive: true })
      await writeFile(temporary, JSON.stringify(value), { flush: this.#isDurable })
      await rename(temporary, path)
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {})
      throw error
    }
    if (this.#isDurable) await syncDirectory(dirname(path))
  }

  /** FileStore's own finds no upload whose name is part of another's. */
  override async list(): Promise<string[]> {
    const names = await readdir(this.directory)
    return names.filter((name) => name.endsWith(SUFFIX)).map((name) => name.slice(0, -SUFFIX.length))
  }
}
