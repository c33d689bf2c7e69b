import { type FileHandle, open } from 'node:fs/promises'
import { type Readable, Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { ERRORS } from '@tus/utils'
import type { FreeSpace } from './free-space.js'
import { isNoSpace, NO_SPACE_ANSWER } from './no-space.js'
import { writeAll } from './write-all.js'

/** How much is read ahead of the disk: fewer and larger writes where the sender is fast. */
const READ_AHEAD_BYTES = 256 * 1024

interface Disk {
  readonly space: FreeSpace
  /** Told of each piece that is written, however the body ends. */
  readonly onWritten?: (bytes: number, seconds: number) => void
  /** The upload is gone: what still comes has no place. */
  readonly removed?: AbortSignal
}

/**
 * Writes a plain upload's body at its offset, as FileStore does, and returns the new offset. Errors are as @tus/server
 * takes them from a store: 507 where the disk is full or nearly so. What was written before stays. The body is not
 * destroyed: @tus/server answers on its connection.
 */
export async function appendPlainly(
  body: Readable,
  to: { readonly path: string; readonly offset: number },
  disk: Disk & { readonly isDurable: boolean },
): Promise<number> {
  const opening = open(to.path, 'r+').catch(refuseUnopened)
  opening.catch(() => {})
  // a body that flows already is taken from the first, not when the file is open
  const appending = new Appending(opening, to.offset, disk)
  try {
    await drain(body, appending, disk.removed)
    const handle = await opening
    if (disk.isDurable) await handle.datasync()
    return appending.offset
  } finally {
    await opening.then(
      (handle) => handle.close(),
      () => {},
    )
  }
}

/** @tus/server asked for the upload a moment ago: one without a file was removed since. */
function refuseUnopened(error: NodeJS.ErrnoException): never {
  throw error.code === 'ENOENT' ? ERRORS.FILE_NO_LONGER_EXISTS : ERRORS.FILE_WRITE_ERROR
}

/** Settles when all that `body` brought is written, also where it breaks off. @throws what `body` or `to` failed with */
async function drain(body: Readable, to: Writable, removed: AbortSignal | undefined): Promise<void> {
  const written = finished(to)
  const read = finished(body, { writable: false, ...(removed && { signal: removed }) }).then(
    () => undefined,
    (cause: unknown) => ({ cause }),
  )
  body.pipe(to, { end: false })
  const broken = await Promise.race([read, written])
  body.unpipe(to)
  to.end()
  await written
  if (removed?.aborted) throw ERRORS.FILE_NO_LONGER_EXISTS
  if (broken) throw broken.cause
}

/** What comes while one write is on its way goes with the next. */
class Appending extends Writable {
  offset: number
  readonly #handle: Promise<FileHandle>
  readonly #disk: Disk

  constructor(handle: Promise<FileHandle>, offset: number, disk: Disk) {
    super({ highWaterMark: READ_AHEAD_BYTES })
    this.#handle = handle
    this.offset = offset
    this.#disk = disk
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.#append([chunk]).then(() => done(), done)
  }

  override _writev(chunks: { chunk: Uint8Array }[], done: (error?: Error | null) => void): void {
    this.#append(chunks.map(({ chunk }) => chunk)).then(() => done(), done)
  }

  async #append(pieces: readonly Uint8Array[]): Promise<void> {
    if (await this.#disk.space.isShort()) throw NO_SPACE_ANSWER
    const handle = await this.#handle
    const beganMs = performance.now()
    try {
      await writeAll(handle, pieces, this.offset)
    } catch (error) {
      throw isNoSpace(error) ? NO_SPACE_ANSWER : ERRORS.FILE_WRITE_ERROR
    }
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0)
    this.offset += bytes
    this.#disk.onWritten?.(bytes, (performance.now() - beganMs) / 1000)
  }
}
