import type { ReadStream } from 'node:fs'
import { access, open, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Readable } from 'node:stream'
import { type Configstore, FileStore } from '@tus/file-store'
import { DataStore, Upload } from '@tus/utils'
import { isPlaceholder, placeholdersIn } from './exclusive-move.js'
import { FileConfigs } from './file-configs.js'
import { stampOf } from './file-stamp.js'
import type { FileTrace } from './file-trace.js'
import { FreeSpace } from './free-space.js'
import { joinFiles } from './join-files.js'
import { linkTwin } from './link-twin.js'
import { NO_SPACE_ANSWER } from './no-space.js'
import { appendPlainly } from './plain-append.js'
import type { RangeBackend, RangeFile } from './range-backend.js'
import { type Durability, parseDurability, parseMinFree, type RangeStoreOptions } from './range-store-options.js'
import { RunningAppends } from './running-appends.js'
import { SparseFileBackend } from './sparse-file-backend.js'
import { syncDirectory } from './syncing.js'
import { UploadPaths } from './upload-paths.js'

/** A drop-in for FileStore whose uploads may also be written in partitions, at their offsets. */
export class RangeStore extends DataStore {
  readonly directory: string
  readonly backend: RangeBackend
  readonly durability: Durability
  readonly space: FreeSpace
  /** Set by whoever remembers what lies here: an upload is gone. */
  onRemoved: (id: string) => Promise<void> = async () => {}
  /** Set by whoever counts: a piece of a plain upload's body is on the disk. */
  onWritten: (bytes: number, seconds: number) => void = () => {}
  readonly #paths: UploadPaths
  readonly #files: FileStore
  readonly #appends: RunningAppends = new RunningAppends()

  constructor(options: RangeStoreOptions) {
    super()
    const { directory, expirationPeriodInMilliseconds = 0 } = options
    const minFreeBytes = parseMinFree(options.minFreeBytes)
    this.directory = directory
    this.#paths = new UploadPaths(directory)
    this.durability = parseDurability(options.durability)
    const configs = new FileConfigs(directory, this.#paths.temporaryFolder, this.durability === 'disk')
    this.#files = new FileStore({
      directory,
      configstore: options.configstore ?? configs,
      expirationPeriodInMilliseconds,
    })
    this.extensions = [...this.#files.extensions]
    this.backend = options.backend ?? new SparseFileBackend(this.ownPath('groups'))
    this.space = new FreeSpace(() => this.backend.freeBytes(), minFreeBytes)
  }

  /** As FileStore's: facts about plain and finished uploads. */
  get configstore(): Configstore {
    return this.#files.configstore
  }

  /** Sweeps what an earlier process left. Before the first request, by whoever has the directory to itself. */
  async prepare(): Promise<void> {
    await rm(this.#paths.temporaryFolder, { recursive: true, force: true })
    await this.backend.sweepSides()
    await this.space.look()
  }

  /** A path in our own room, for records and the Store-Id. */
  ownPath(name: string): string {
    return this.#paths.own(name)
  }

  /** Whether there is an upload of this id, whole or not, or anything else in its place. */
  async holds(id: string): Promise<boolean> {
    const path = this.#paths.ofUpload(id)
    const [bytes, upload] = await Promise.allSettled([access(path), this.#files.getUpload(id)])
    return bytes.status === 'fulfilled' || upload.status === 'fulfilled'
  }

  /** What is there of a finished upload. */
  async traceOf(id: string): Promise<FileTrace> {
    const path = this.#paths.ofUpload(id)
    const [bytes, info] = await Promise.allSettled([stat(path), this.#files.configstore.get(id)])
    const length = bytes.status === 'fulfilled' && bytes.value.isFile() ? bytes.value.size : undefined
    const hasInfo = info.status === 'fulfilled' && info.value !== undefined
    return { length, hasInfo, isPlaceholder: !hasInfo && (length === 0 || (await isPlaceholder(path))) }
  }

  /** Frees the name of a file that never came: its move was cut in the middle, on a disk without hard links. */
  async removePlaceholder(id: string): Promise<void> {
    if ((await this.traceOf(id)).isPlaceholder) await rm(this.#paths.ofUpload(id), { force: true })
  }

  /** The names that placeholders hold. Looks at every file. */
  placeholders(): Promise<string[]> {
    return placeholdersIn(this.directory)
  }

  /** Of the bytes of an upload: changes when they are written to. Undefined where there are none. */
  async stampOf(id: string): Promise<string | undefined> {
    return stampOf(this.#paths.ofUpload(id))
  }

  /**
   * Gives the bytes of `twin`, while they have that stamp, the name `id` as well; {@link finalise} as a repeat then ends
   * the commit. Returns false, with nothing done, where that cannot be.
   */
  async linkFile(id: string, twin: { twin: string; stamp: string; isRepeat: boolean }): Promise<boolean> {
    return linkTwin({
      ...twin,
      twin: this.#paths.ofUpload(twin.twin),
      target: this.#paths.ofUpload(id),
      temporary: this.#paths.newTemporary(),
      isDurable: this.durability === 'disk',
    })
  }

  /**
   * Makes `file` the finished upload `upload`, as if FileStore had received it. No byte moves, and nothing is
   * overwritten (EEXIST) unless `isRepeat` says that this very commit was begun before.
   */
  async finalise(file: RangeFile, upload: Upload, isRepeat: boolean = false): Promise<Upload> {
    const path = this.#paths.ofUpload(upload.id)
    await file.finalise(path, upload.size ?? 0, { isRepeat, isDurable: this.durability === 'disk' })
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

  /**
   * Makes `upload` of all bytes of finished uploads, one after the other. They come together in our own room, which a
   * start sweeps; `record` runs when they are whole, and only then they get their name, unless something has it
   * (EEXIST).
   */
  async join(upload: Upload, parts: readonly string[], record: () => Promise<void>): Promise<void> {
    const joining = {
      parts: parts.map((part) => () => this.read(part)),
      size: upload.size,
      temporary: this.#paths.newTemporary(),
      target: this.#paths.ofUpload(upload.id),
      record,
      finish: () => this.recordFinished(upload),
    }
    await joinFiles(joining, { isDurable: this.durability === 'disk', space: this.space })
  }

  /** What FileStore knows of an upload whose bytes are all in place. */
  async recordFinished(upload: Upload): Promise<void> {
    upload.storage = { type: 'file', path: this.#paths.ofUpload(upload.id) }
    upload.offset = upload.size ?? 0
    await this.#files.configstore.set(upload.id, upload)
  }

  override async create(file: Upload): Promise<Upload> {
    const path = this.#paths.ofUpload(file.id)
    if (await this.space.isShort()) throw NO_SPACE_ANSWER
    const created = await this.#files.create(file)
    if (this.durability === 'disk') await syncDirectory(dirname(path))
    return created
  }

  override async remove(id: string): Promise<void> {
    this.#paths.refuseForeign(id)
    await this.#files.remove(id)
    this.#appends.end(id)
    await this.onRemoved(id)
  }

  override async write(stream: Readable, id: string, offset: number): Promise<number> {
    const disk = { isDurable: this.durability === 'disk', space: this.space, onWritten: this.onWritten }
    const to = { path: this.#paths.ofUpload(id), offset }
    return this.#appends.run(id, (removed) => appendPlainly(stream, to, { ...disk, removed }))
  }

  override async getUpload(id: string): Promise<Upload> {
    this.#paths.refuseForeign(id)
    return this.#files.getUpload(id)
  }

  override async declareUploadLength(id: string, length: number): Promise<void> {
    this.#paths.refuseForeign(id)
    return this.#files.declareUploadLength(id, length)
  }

  /** Bytes of an upload as far as they are there; none of one that is not. */
  async readPart(id: string, position: number, length: number): Promise<Uint8Array> {
    const handle = await open(this.#paths.ofUpload(id), 'r').catch(() => undefined)
    if (!handle) return new Uint8Array()
    try {
      const { buffer, bytesRead } = await handle.read({ buffer: Buffer.allocUnsafe(length), position })
      return buffer.subarray(0, bytesRead)
    } finally {
      await handle.close()
    }
  }

  read(id: string): ReadStream {
    this.#paths.refuseForeign(id)
    return this.#files.read(id)
  }

  /**
   * Unfinished plain uploads that are past their time. FileStore's own would take finished ones as well.
   * @throws what the first could not be removed for, after all the others
   */
  override async deleteExpired(): Promise<number> {
    if (this.getExpiration() <= 0) return 0
    let deleted = 0
    const failures: unknown[] = []
    for (const id of (await this.#files.configstore.list?.()) ?? []) {
      if (!(await this.#isExpired(id))) continue
      await this.remove(id).then(
        () => deleted++,
        (error) => failures.push(error),
      )
    }
    if (failures.length > 0) throw failures[0]
    return deleted
  }

  override getExpiration(): number {
    return this.#files.getExpiration()
  }

  async #isExpired(id: string): Promise<boolean> {
    const upload = await this.#files.getUpload(id).catch(() => undefined)
    if (!upload || upload.offset === upload.size || !upload.creation_date) return false
    return Date.parse(upload.creation_date) + this.getExpiration() < Date.now()
  }
}
