import { type FileHandle, open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { ERRORS } from '@tus/utils'
import type { FreeSpace } from './free-space.js'
import { isNoSpace, NO_SPACE_ANSWER } from './no-space.js'
import { writeAll } from './write-all.js'

/**
 * Writes a plain upload's body at its offset, as FileStore does, and returns the new offset. Errors are as @tus/server
 * takes them from a store: 507 where the disk is full or nearly so. What was written before stays. The body is not
 * destroyed: @tus/server answers on its connection.
 */
export async function appendPlainly(
  body: Readable,
  to: { readonly path: string; readonly offset: number },
  disk: { readonly isDurable: boolean; readonly space: FreeSpace },
): Promise<number> {
  const handle = await open(to.path, 'r+')
  let offset = to.offset
  try {
    for await (const piece of body.iterator({ destroyOnReturn: false })) {
      if (await disk.space.isShort()) throw NO_SPACE_ANSWER
      await writePiece(handle, piece, offset)
      offset += piece.length
    }
    if (disk.isDurable) await handle.datasync()
  } finally {
    await handle.close()
  }
  return offset
}

async function writePiece(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  try {
    await writeAll(handle, bytes, position)
  } catch (error) {
    throw isNoSpace(error) ? NO_SPACE_ANSWER : ERRORS.FILE_WRITE_ERROR
  }
}
