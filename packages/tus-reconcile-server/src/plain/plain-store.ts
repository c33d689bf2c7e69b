import { Readable } from 'node:stream'
import { DataStore, Upload } from '@tus/utils'
import { SideFile } from '../bodies/side-file.js'
import { Refusal } from '../groups/refusal.js'
import { RangeStore } from '../store/range-store.js'
import { splitMark } from './concat-mark.js'
import { type PlainRequest, plainRequest } from './plain-request.js'

/** A datastore that can hand out what it holds, as all of tus-node-server's can. */
export interface ReadableStore extends DataStore {
  read(id: string): Readable | Promise<Readable>
}

export interface PlainStoreOptions {
  /** Where bytes lie that are not checked yet. Without it bodies are not checked. */
  readonly sideDirectory?: string
  /** Whether there is a file of that name, or will be: creations are refused then. */
  readonly isTaken?: (id: string) => Promise<boolean>
}

/** An upload, and the `Upload-Concat` of one that was made of others. */
export interface PlainUpload {
  readonly upload: Upload
  readonly concat: string | undefined
}

/** The datastore as @tus/server's handlers see it: each step knows which request it belongs to. */
export class PlainStore extends DataStore {
  readonly #sideDirectory: string | undefined
  readonly #store: ReadableStore
  readonly #isTaken: (id: string) => Promise<boolean>

  constructor(store: ReadableStore, options: PlainStoreOptions = {}) {
    super()
    this.#store = store
    this.#sideDirectory = options.sideDirectory
    this.#isTaken = options.isTaken ?? (async () => false)
    this.extensions = [...store.extensions, 'concatenation', ...(this.checksBodies ? ['checksum'] : [])]
  }

  get checksBodies(): boolean {
    return this.#sideDirectory !== undefined
  }

  /** @tus/server asks for concatenation under another spelling. */
  override hasExtension(extension: string): boolean {
    return super.hasExtension(extension === 'concatentation' ? 'concatenation' : extension)
  }

  /** @throws Refusal when an upload of that name exists: it is never overwritten */
  async refuseTaken(id: string): Promise<void> {
    if (await this.#isTaken(id)) throw nameTaken()
  }

  override async create(upload: Upload): Promise<Upload> {
    await this.refuseTaken(upload.id)
    const created = await this.#store.create(upload)
    const request = plainRequest()
    if (request) request.created = upload.id
    return created
  }

  override async write(stream: Readable, id: string, offset: number): Promise<number> {
    const request = plainRequest()
    const end = request?.checksum
      ? await this.#writeChecked(stream, { ...request, checksum: request.checksum, id, offset })
      : await this.#store.write(stream, id, offset)
    if (request) request.created = undefined
    return end
  }

  /**
   * Makes the new upload `upload` of all bytes of `parts`, one after the other, or none. `record` runs before it is
   * there under its name.
   */
  async concatenate(upload: Upload, parts: readonly string[], record: () => Promise<void>): Promise<void> {
    const store = this.#store
    await this.refuseTaken(upload.id)
    if (store instanceof RangeStore) return store.join(upload, parts, record).catch(asTaken)
    await store.create(upload)
    async function* bytes(): AsyncGenerator<Uint8Array, void> {
      for (const part of parts) yield* await store.read(part)
    }
    try {
      const end = await store.write(Readable.from(bytes(), { objectMode: false }), upload.id, 0)
      if (end !== upload.size) throw new Error('the parts changed while they were read')
      await record()
    } catch (error) {
      await store.remove(upload.id).catch(() => {})
      throw error
    }
  }

  /** Nothing of a request whose body may still be refused is kept, not even the length that it declares. */
  override async declareUploadLength(id: string, length: number): Promise<void> {
    const request = plainRequest()
    if (request?.checksum) request.declared = length
    else await this.#store.declareUploadLength(id, length)
  }

  override remove(id: string): Promise<void> {
    return this.#store.remove(id)
  }

  async find(id: string): Promise<PlainUpload> {
    const upload = await this.#store.getUpload(id)
    const { metadata, concat } = splitMark(upload.metadata)
    if (concat === undefined) return { upload, concat }
    const { size, offset, storage, creation_date } = upload
    const bare = new Upload({ id, offset, ...(size === undefined ? {} : { size }) })
    return { upload: Object.assign(bare, { metadata, storage, creation_date }), concat }
  }

  override async getUpload(id: string): Promise<Upload> {
    const { upload, concat } = await this.find(id)
    const request = plainRequest()
    // The Server MUST respond with the 403 Forbidden status to PATCH requests against a final upload URL (tus 1.0)
    if (request && concat !== undefined) throw new Refusal('final-upload', 'a final upload takes no bytes')
    if (request) request.wasWhole = upload.offset === upload.size
    return upload
  }

  override deleteExpired(): Promise<number> {
    return this.#store.deleteExpired()
  }

  override getExpiration(): number {
    return this.#store.getExpiration()
  }

  /** GET of @tus/server's own handler. */
  read(id: string): Readable | Promise<Readable> {
    return this.#store.read(id)
  }

  /** The body comes to a side file first: the size of an upload's file is its offset, after a crash too. */
  async #writeChecked(
    stream: Readable,
    to: PlainRequest & { readonly checksum: NonNullable<PlainRequest['checksum']>; id: string; offset: number },
  ): Promise<number> {
    const side = new SideFile(this.#sideDirectory ?? '')
    const hash = to.checksum.start()
    try {
      for await (const bytes of stream) {
        hash.update(bytes)
        await side.append(bytes)
      }
      // a body that was cut short for another request has ended as if it were whole
      if (to.context.signal.aborted) throw new Refusal('replaced', 'another request took over')
      to.checksum.check(hash)
      if (to.declared !== undefined) await this.#store.declareUploadLength(to.id, to.declared)
      return await this.#store.write(Readable.from(side.pieces(), { objectMode: false }), to.id, to.offset)
    } finally {
      await side.close()
    }
  }
}

function nameTaken(): Refusal {
  return new Refusal('name-taken', 'there is an upload of that name already')
}

/** Another upload came to the name while the bytes were brought together. */
function asTaken(error: unknown): never {
  throw error instanceof Error && 'code' in error && error.code === 'EEXIST' ? nameTaken() : error
}
