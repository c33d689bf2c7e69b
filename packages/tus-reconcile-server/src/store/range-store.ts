import type { ReadStream } from 'node:fs'
import { access, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { FileStore } from '@tus/file-store'
import { DataStore, ERRORS, isPathInsideDirectory, Upload } from '@tus/utils'
import type { RangeBackend, RangeFile } from './range-backend.js'
import { SparseFileBackend } from './sparse-file-backend.js'

export interface RangeStoreOptions {
  /** Where everything lies: finished and plain uploads as FileStore keeps them, ours under `.reconcile/`. */
  readonly directory: string
  /** Unfinished uploads end this long after they began (plain) or got their last byte (ours). Default: plain ones
   * never, ours after a day. */
  readonly expirationPeriodInMilliseconds?: number
  /** Where the bytes of unfinished groups lie. Default: sparse files under `.reconcile/groups`. */
  readonly backend?: RangeBackend
}

/** What a crash may leave of a finished upload: its bytes, what FileStore knows of it, or both. */
export interface FileTrace {
  /** In bytes; undefined where there is no file. */
  readonly length: number | undefined
  readonly hasInfo: boolean
}

/** Room of our own within the directory; no upload can have an id in it. */
const OWN_FOLDER = '.reconcile'

/** A drop-in for FileStore whose uploads may also be written in partitions, at their offsets. */
export class RangeStore extends DataStore {
  readonly directory: string
  readonly backend: RangeBackend
  readonly #files: FileStore

  constructor(options: RangeStoreOptions) {
    super()
    this.directory = options.directory
    this.#files = new FileStore({
      directory: options.directory,
      expirationPeriodInMilliseconds: options.expirationPeriodInMilliseconds ?? 0,
    })
    this.extensions = [...this.#files.extensions]
    this.backend = options.backend ?? new SparseFileBackend(join(options.directory, OWN_FOLDER, 'groups'))
  }

  /** A path in our own room, for records and the Store-Id. */
  ownPath(name: string): string {
    return join(this.directory, OWN_FOLDER, name)
  }

  /** Whether there is an upload of this id, whole or not, or anything else in its place. */
  async holds(id: string): Promise<boolean> {
    this.#refuseForeign(id)
    const path = join(this.directory, id)
    const [bytes, upload] = await Promise.allSettled([access(path), this.#files.getUpload(id)])
    return bytes.status === 'fulfilled' || upload.status === 'fulfilled'
  }

  /** What is there of a finished upload. */
  async traceOf(id: string): Promise<FileTrace> {
    this.#refuseForeign(id)
    const [bytes, info] = await Promise.allSettled([stat(join(this.directory, id)), this.#files.configstore.get(id)])
    return {
      length: bytes.status === 'fulfilled' && bytes.value.isFile() ? bytes.value.size : undefined,
      hasInfo: info.status === 'fulfilled' && info.value !== undefined,
    }
  }

  /**
   * Makes `file` the finished upload `upload`, as if FileStore had received it. No byte moves, and nothing is
   * overwritten (EEXIST) unless `isRepeat` says that this very commit was begun before.
   */
  async finalise(file: RangeFile, upload: Upload, isRepeat: boolean = false): Promise<Upload> {
    this.#refuseForeign(upload.id)
    const path = join(this.directory, upload.id)
    await file.finalise(path, upload.size ?? 0, { isRepeat })
    const finished = new Upload({
      id: upload.id,
      size: upload.size ?? 0,
      offset: upload.size ?? 0,
      ...(upload.metadata === undefined ? {} : { metadata: upload.metadata }),
      ...(upload.creation_date === undefined ? {} : { creation_date: upload.creation_date }),
      storage: { type: 'file', path },
    })
    await this.#files.configstore.set(upload.id, finished)
    return finished
  }

  override async create(file: Upload): Promise<Upload> {
    this.#refuseForeign(file.id)
    return this.#files.create(file)
  }

  override async remove(id: string): Promise<void> {
    this.#refuseForeign(id)
    return this.#files.remove(id)
  }

  override async write(stream: Readable, id: string, offset: number): Promise<number> {
    this.#refuseForeign(id)
    return this.#files.write(stream, id, offset)
  }

  override async getUpload(id: string): Promise<Upload> {
    this.#refuseForeign(id)
    return this.#files.getUpload(id)
  }

  override async declareUploadLength(id: string, length: number): Promise<void> {
    this.#refuseForeign(id)
    return this.#files.declareUploadLength(id, length)
  }

  read(id: string): ReadStream {
    this.#refuseForeign(id)
    return this.#files.read(id)
  }

  /** Unfinished plain uploads that are past their time. FileStore's own would take finished ones as well. */
  override async deleteExpired(): Promise<number> {
    if (this.getExpiration() <= 0) return 0
    let deleted = 0
    for (const name of await readdir(this.directory)) {
      if (!name.endsWith('.json')) continue
      const id = name.slice(0, -'.json'.length)
      const upload = await this.#files.getUpload(id).catch(() => undefined)
      if (!upload || upload.offset === upload.size || !upload.creation_date) continue
      if (Date.parse(upload.creation_date) + this.getExpiration() >= Date.now()) continue
      await this.#files.remove(id)
      deleted++
    }
    return deleted
  }

  override getExpiration(): number {
    return this.#files.getExpiration()
  }

  #refuseForeign(id: string): void {
    const own = join(this.directory, OWN_FOLDER)
    const path = join(this.directory, id)
    const inside = isPathInsideDirectory(this.directory, path)
    if (!inside || path === own || isPathInsideDirectory(own, path)) throw ERRORS.FILE_NOT_FOUND
  }
}
