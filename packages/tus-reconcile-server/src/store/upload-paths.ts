import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { ERRORS, isPathInsideDirectory } from '@tus/utils'

/** Room of our own within the directory; no upload can have an id in it. */
export const OWN_FOLDER = '.reconcile'
const TEMPORARY = 'tmp'

/** Where things lie within a directory of uploads. */
export class UploadPaths {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  /** Of an upload's bytes. @throws as {@link refuseForeign} */
  ofUpload(id: string): string {
    this.refuseForeign(id)
    return join(this.#directory, id)
  }

  /** @throws 404 for an id that leads out of the directory, or into our own room */
  refuseForeign(id: string): void {
    const own = join(this.#directory, OWN_FOLDER)
    const path = join(this.#directory, id)
    const isInside = isPathInsideDirectory(this.#directory, path)
    if (!isInside || path === own || isPathInsideDirectory(own, path)) throw ERRORS.FILE_NOT_FOUND
  }

  /** In our own room, for records and the Store-Id. */
  own(name: string): string {
    return join(this.#directory, OWN_FOLDER, name)
  }

  /** Of what gets its place when it is whole, and is nothing after a crash: a folder that a start removes. */
  get temporaryFolder(): string {
    return this.own(TEMPORARY)
  }

  /** A new one in that folder. */
  newTemporary(): string {
    return join(this.temporaryFolder, randomUUID())
  }
}
