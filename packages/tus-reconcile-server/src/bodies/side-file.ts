import { randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises'
import { join } from 'node:path'

const PIECE_BYTES = 262_144

/**
 * Bytes that may not be counted yet, on disk, for a body has no bound in memory. The file has no name once it is open,
 * so that a crash leaves nothing of it.
 */
export class SideFile {
  readonly #directory: string
  #handle: Promise<FileHandle> | undefined
  #size = 0

  constructor(directory: string) {
    this.#directory = directory
  }

  async append(bytes: Uint8Array): Promise<void> {
    this.#handle ??= openUnnamed(this.#directory)
    const handle = await this.#handle
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, this.#size)
      done += bytesWritten
      this.#size += bytesWritten
    }
  }

  /** All that was appended, from the beginning. */
  async *pieces(): AsyncGenerator<Uint8Array, void> {
    if (this.#handle) yield* readPieces(await this.#handle, { start: 0, end: this.#size })
  }

  async close(): Promise<void> {
    const handle = this.#handle
    this.#handle = undefined
    await handle?.then((opened) => opened.close())
  }
}

async function openUnnamed(directory: string): Promise<FileHandle> {
  await mkdir(directory, { recursive: true })
  const path = join(directory, randomBytes(16).toString('hex'))
  const handle = await open(path, 'wx+', 0o600)
  await unlink(path)
  return handle
}

/** The bytes `[start, end)` of a file. @throws Error when the file ends before `end` */
export async function* readPieces(
  file: FileHandle,
  range: { readonly start: number; readonly end: number },
): AsyncGenerator<Uint8Array, void> {
  for (let at = range.start; at < range.end; ) {
    const buffer = Buffer.allocUnsafe(Math.min(PIECE_BYTES, range.end - at))
    const { bytesRead } = await file.read({ buffer, position: at })
    if (bytesRead === 0) throw new Error('the file became shorter while it was read')
    at += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}
