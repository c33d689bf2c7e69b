import type { FileHandle } from 'node:fs/promises'

/** Writes `pieces` one after the other from `position`. A write may take less than it is given. Settles when all is written. */
export async function writeAll(handle: FileHandle, pieces: readonly Uint8Array[], position: number): Promise<void> {
  let at = position
  for (let left = pieces.filter(({ length }) => length > 0); left.length > 0; ) {
    const { bytesWritten } = await handle.writev(left, at)
    at += bytesWritten
    left = withoutFirst(left, bytesWritten)
  }
}

function withoutFirst(pieces: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let gone = bytes
  return pieces.flatMap((piece) => {
    const here = Math.min(gone, piece.length)
    gone -= here
    return here === piece.length ? [] : [piece.subarray(here)]
  })
}
