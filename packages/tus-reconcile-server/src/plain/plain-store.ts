import { Readable } from 'node:stream'
import { DataStore, Upload } from '@tus/utils'
import type { Checksum } from '../bodies/checksum.js'
import { StagedBody, type StagingBounds } from '../bodies/staged-body.js'
import { Refusal } from '../groups/refusal.js'
import { RangeStore } from '../store/range-store.js'
import { boundedBytes, type PlainWrite } from './bounded-bytes.js'
import { splitMark } from './concat-mark.js'
import { PartExpiry } from './part-expiry.js'
import { isPartialId } from './partial-uploads.js'
import { type PlainRequest, plainRequest, stopping } from './plain-request.js'

/** A datastore that can hand out what it holds, as all of tus-node-server's can. */
export interface ReadableStore extends DataStore {
  read(id: string): Readable | Promise<Readable>
}

interface PlainStoreOptions {
  /** Told of uploads that are all there, and of those that are a file or gone. */
  readonly counts: { complete(id: string): void; end(id: string): void }
  /** Told what uploads come to, and how many. */
  readonly became: (state: 'created' | 'finished' | 'removed' | 'expired', uploads: number) => void
  /** Where bytes lie that are not checked yet. Without it bodies are not checked. */
  readonly staging?: Pick<StagingBounds, 'directory' | 'isShort'>
  /** Whether there is a file of that name, or will be: creations are refused then. */
  readonly isTaken?: (id: string) => Promise<boolean>
}

/** An upload, and the `Upload-Concat` of one that was made of others. */
interface PlainUpload {
  readonly upload: Upload
  readonly concat: string | undefined
}

/** The datastore as @tus/server's handlers see it: each step knows which request it belongs to. */
export class PlainStore extends DataStore {
  readonly parts: PartExpiry
  readonly #options: PlainStoreOptions
  readonly #store: ReadableStore
  readonly #isTaken: (id: string) => Promise<boolean>

  constructor(store: ReadableStore, options: PlainStoreOptions) {
    super()
    this.#store = store
    this.#options = options
    this.parts = new PartExpiry(store)
    this.#isTaken = options.isTaken ?? (async () => false)
    this.extensions = [...store.extensions, 'concatenation', ...(this.checksBodies ? ['checksum'] : [])]
  }

  get checksBodies(): boolean {
    return this.#options.staging !== undefined
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
    const request = plainRequest()
    if (!request) return this.#store.create(upload)
    request.bounds.begin(upload.id)
    try {
      const created = await this.#store.create(upload)
      request.created = upload.id
      request.size = upload.size
      this.#options.became('created', 1)
      if (upload.size === 0) this.#finish(upload.id, request)
      return created
    } catch (error) {
      this.#options.counts.end(upload.id)
      throw error
    }
  }

  override async write(stream: Readable, id: string, offset: number): Promise<number> {
    const request = plainRequest()
    if (!request) return this.#store.write(stream, id, offset)
    const to = { request, held: request.bounds.resume(id, offset), id, offset }
    const end = request.checksum
      ? await this.#writeChecked(stream, request.checksum, to)
      : await this.#store.write(boundedBytes(stream, to), id, offset)
    // a creation that is not answered in full leaves nothing
    if (!request.isStopped) request.created = undefined
    if (end === request.size) this.#finish(id, request)
    return end
  }

  /**
   * Makes the new upload `upload` of all bytes of `parts`, one after the other, or none. `record` runs before it is
   * there under its name.
   */
  async concatenate(upload: Upload, parts: readonly string[], record: () => Promise<void>): Promise<void> {
    const store = this.#store
    await this.refuseTaken(upload.id)
    if (store instanceof RangeStore) await store.join(upload, parts, record).catch(asTaken)
    else await this.#copy(upload, parts, record)
    this.#options.became('created', 1)
    this.#options.became('finished', 1)
  }

  /** Nothing of a request whose body may still be refused is kept, not even the length that it declares. */
  override async declareUploadLength(id: string, length: number): Promise<void> {
    const request = plainRequest()
    if (request) request.size = length
    if (request?.checksum) request.declared = length
    else await this.#store.declareUploadLength(id, length)
  }

  override async remove(id: string): Promise<void> {
    await this.#end(id)
    this.#options.became('removed', 1)
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
    if (request) {
      request.wasWhole = upload.offset === upload.size
      request.size = upload.size
    }
    return upload
  }

  /** Finished partial uploads too, which the store takes for files. */
  override async deleteExpired(): Promise<number> {
    return (await this.expireUnfinished()) + (await this.expireParts())
  }

  /** What the store itself takes for expired: some take finished uploads, too. */
  async expireUnfinished(): Promise<number> {
    const ended = await this.#store.deleteExpired()
    this.#options.became('expired', ended)
    return ended
  }

  expireParts(): Promise<number> {
    return this.parts.expire(async (id) => {
      await this.#end(id)
      this.#options.became('expired', 1)
    })
  }

  override getExpiration(): number {
    return this.#store.getExpiration()
  }

  /** GET of @tus/server's own handler. */
  read(id: string): Readable | Promise<Readable> {
    return this.#store.read(id)
  }

  /** The body comes to a side file first: the size of an upload's file is its offset, after a crash too. */
  async #writeChecked(stream: Readable, checksum: Checksum, to: PlainWrite): Promise<number> {
    const { request, id, offset } = to
    const { staging } = this.#options
    if (!staging) throw new TypeError('no room for bodies that are not checked yet')
    const { refuseLong, holdStaged } = request.bounds
    const staged = new StagedBody(checksum, { ...staging, refuseLong, hold: holdStaged() })
    try {
      for await (const bytes of stream.iterator({ destroyOnReturn: false })) await staged.take(bytes)
      // a body that was cut short for another request has ended as if it were whole
      if (request.context.signal.aborted) throw new Refusal('replaced', 'another request took over')
      if (request.isStopped) throw stopping()
      staged.check()
      if (request.declared !== undefined) await this.#store.declareUploadLength(id, request.declared)
      const pieces = Readable.from(staged.pieces(), { objectMode: false })
      return await this.#store.write(boundedBytes(pieces, to), id, offset)
    } finally {
      await staged.close()
    }
  }

  async #copy(upload: Upload, parts: readonly string[], record: () => Promise<void>): Promise<void> {
    const store = this.#store
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

  async #end(id: string): Promise<void> {
    await this.#store.remove(id)
    this.parts.noteRemoved(id)
    this.#options.counts.end(id)
  }

  /** All its bytes are there, and may have been. */
  #finish(id: string, request: PlainRequest): void {
    if (!request.wasWhole && !request.isFinished) this.#options.became('finished', 1)
    request.isFinished = true
    if (!isPartialId(id)) return this.#options.counts.end(id)
    this.parts.noteFinished(id)
    this.#options.counts.complete(id)
  }
}

function nameTaken(): Refusal {
  return new Refusal('name-taken', 'there is an upload of that name already')
}

/** Another upload came to the name while the bytes were brought together. */
function asTaken(error: unknown): never {
  throw error instanceof Error && 'code' in error && error.code === 'EEXIST' ? nameTaken() : error
}
