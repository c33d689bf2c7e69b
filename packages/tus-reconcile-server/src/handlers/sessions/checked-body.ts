import type { Hash } from 'node:crypto'
import type { Checksum } from '../../bodies/checksum.js'
import type { BodyRead, RequestBody } from '../../bodies/request-body.js'
import { SideFile } from '../../bodies/side-file.js'
import { Refusal } from '../../groups/refusal.js'
import type { Site } from '../exchange/site.js'
import { type BodyWrite, receiveBody, type WriteOutcome } from './session-write.js'

/** A body that is read to its end and checked before the first of its bytes is handed on. */
class CheckedBody implements RequestBody {
  readonly #body: RequestBody
  readonly #checksum: Checksum
  readonly #mostBytes: number
  readonly #side: SideFile
  readonly #hash: Hash
  #bytes = 0
  #checked: AsyncGenerator<Uint8Array, void> | undefined

  constructor(
    body: RequestBody,
    checked: { readonly by: Checksum; readonly mostBytes: number; readonly directory: string },
  ) {
    this.#body = body
    this.#checksum = checked.by
    this.#hash = checked.by.start()
    this.#mostBytes = checked.mostBytes
    this.#side = new SideFile(checked.directory)
  }

  async read(timeoutMs: number): Promise<BodyRead> {
    while (!this.#checked) {
      const read = await this.#body.read(timeoutMs)
      if (read.kind === 'bytes') await this.#take(read.bytes)
      else if (read.kind === 'end') this.#check()
      else return read
    }
    const { done, value } = await this.#checked.next()
    return done ? { kind: 'end' } : { kind: 'bytes', bytes: value }
  }

  poke(): void {
    this.#body.poke()
  }

  isComplete(): boolean {
    return this.#body.isComplete()
  }

  close(): Promise<void> {
    return this.#side.close()
  }

  async #take(bytes: Uint8Array): Promise<void> {
    this.#bytes += bytes.length
    if (this.#bytes > this.#mostBytes) throw new Refusal('too-large', "the body goes beyond the file's end")
    this.#hash.update(bytes)
    await this.#side.append(bytes)
  }

  #check(): void {
    this.#checksum.check(this.#hash)
    this.#checked = this.#side.pieces()
  }
}

/** As `receiveBody`; with a checksum, none of the body's bytes reaches the session before all of them were checked. */
export async function receiveChecked(
  site: Site,
  write: BodyWrite,
  checksum: Checksum | undefined,
): Promise<WriteOutcome> {
  if (!checksum) return receiveBody(site, write)
  const { group, session } = write
  const most = group.size ?? group.maxSize ?? Number.MAX_SAFE_INTEGER
  const body = new CheckedBody(write.body, {
    by: checksum,
    mostBytes: most - session.start - session.offset,
    directory: site.sideDirectory,
  })
  try {
    return await receiveBody(site, { ...write, body })
  } finally {
    await body.close()
  }
}
