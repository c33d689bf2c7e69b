import { Readable } from 'node:stream'
import { DataStore, type Upload } from '@tus/utils'
import { type PlainRequest, plainRequest } from './plain-request.js'
import { SideFile } from './side-file.js'
import { STATUS_OF } from './statuses.js'

export interface PlainStoreOptions {
  /** Where bytes lie that are not checked yet. */
  readonly sideDirectory: string
}

/** The datastore as @tus/server's handlers see it: each step knows which request it belongs to. */
export class PlainStore extends DataStore {
  readonly sideDirectory: string
  readonly #store: DataStore

  constructor(store: DataStore, options: PlainStoreOptions) {
    super()
    this.#store = store
    this.sideDirectory = options.sideDirectory
    this.extensions = [...store.extensions, 'checksum']
  }

  override async create(upload: Upload): Promise<Upload> {
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

  /** Nothing of a request whose body may still be refused is kept, not even the length that it declares. */
  override async declareUploadLength(id: string, length: number): Promise<void> {
    const request = plainRequest()
    if (request?.checksum) request.declared = length
    else await this.#store.declareUploadLength(id, length)
  }

  override remove(id: string): Promise<void> {
    return this.#store.remove(id)
  }

  override async getUpload(id: string): Promise<Upload> {
    const upload = await this.#store.getUpload(id)
    const request = plainRequest()
    if (request) request.wasWhole = upload.offset === upload.size
    return upload
  }

  override deleteExpired(): Promise<number> {
    return this.#store.deleteExpired()
  }

  override getExpiration(): number {
    return this.#store.getExpiration()
  }

  /** The body comes to a side file first: the size of an upload's file is its offset, after a crash too. */
  async #writeChecked(
    stream: Readable,
    to: PlainRequest & { readonly checksum: NonNullable<PlainRequest['checksum']>; id: string; offset: number },
  ): Promise<number> {
    const side = new SideFile(this.sideDirectory)
    const hash = to.checksum.start()
    try {
      for await (const bytes of stream) {
        hash.update(bytes)
        await side.append(bytes)
      }
      // a body that was cut short for another request has ended as if it were whole
      if (to.context.signal.aborted) throw { status_code: STATUS_OF.replaced, body: 'another request took over\n' }
      to.checksum.check(hash)
      if (to.declared !== undefined) await this.#store.declareUploadLength(to.id, to.declared)
      return await this.#store.write(Readable.from(side.pieces(), { objectMode: false }), to.id, to.offset)
    } finally {
      await side.close()
    }
  }
}
