import { BodyProgress } from '../../bodies/body-progress.js'
import type { Checksum } from '../../bodies/checksum.js'
import type { BodyRead, RequestBody } from '../../bodies/request-body.js'
import { StagedBody } from '../../bodies/staged-body.js'
import { ByteRun } from '../../groups/byte-run.js'
import { Refusal } from '../../groups/refusal.js'
import type { Site } from '../exchange/site.js'
import { refuseLongBody } from '../exchange/upload-limit.js'
import { type BodyWrite, receiveBody, type WriteOutcome } from './session-write.js'

/** A body that is read to its end and checked before the first of its bytes is handed on. */
class CheckedBody implements RequestBody {
  readonly #body: RequestBody
  readonly #staged: StagedBody
  readonly #progress: BodyProgress
  #checked: AsyncGenerator<Uint8Array, void> | undefined

  constructor(body: RequestBody, staged: StagedBody, progress: BodyProgress) {
    this.#body = body
    this.#staged = staged
    this.#progress = progress
  }

  async read(timeoutMs: number): Promise<BodyRead> {
    while (!this.#checked) {
      const read = await this.#body.read(Math.min(timeoutMs, this.#progress.leftMs))
      if (read.kind === 'bytes') for (const piece of read.bytes.pieces) await this.#take(piece)
      else if (read.kind === 'end') this.#check()
      else return read
    }
    const { done, value } = await this.#checked.next()
    return done ? { kind: 'end' } : { kind: 'bytes', bytes: new ByteRun([value]) }
  }

  poke(): void {
    this.#body.poke()
  }

  isComplete(): boolean {
    return this.#body.isComplete()
  }

  release(): void {
    this.#body.release()
  }

  async #take(bytes: Uint8Array): Promise<void> {
    await this.#staged.take(bytes)
    this.#progress.note(bytes.length)
  }

  #check(): void {
    this.#staged.check()
    this.#checked = this.#staged.pieces()
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
  const most = (group.size ?? group.maxSize ?? Number.MAX_SAFE_INTEGER) - session.start - session.offset
  const staged = new StagedBody(checksum, {
    directory: site.sideDirectory,
    isShort: () => site.store.space.isShort(),
    refuseLong: (bytes) => {
      refuseLongBody(site, bytes)
      if (bytes > most) throw new Refusal('too-large', "the body goes beyond the file's end")
    },
    hold: site.limits.holdBytes(write.keys),
  })
  const progress = new BodyProgress(site.bounds.bodyTimeoutMs)
  try {
    return await receiveBody(site, { ...write, body: new CheckedBody(write.body, staged, progress), progress })
  } finally {
    await staged.close()
  }
}
