import { breathe } from './breathe.js'

/** Chromium hashes a block in 0.3 ms of the page's own thread (measured): so much of it in one task takes 2 ms, 12 on a slow device. */
const TURN_BYTES = 1024 * 1024

/** Chromium forgets a stream that is waited for when memory is collected and nothing else holds it (seen): the wait has no end. */
const held = new Set<object>()

/**
 * The blob's bytes in order, so many at a time (the last piece may be shorter), each valid until the next is asked for.
 * One stream into one buffer: in Chromium that takes 1.3 s of CPU a GB, where slices of 4 MiB take 3 to 5 (measured).
 * What is there already comes without a pause, and whoever works on it would hold up the page: it has a turn each MiB.
 * @throws what the stream does when the blob cannot be read
 */
export async function* readPieces(blob: Blob, pieceBytes: number): AsyncGenerator<Uint8Array> {
  const stream = blob.stream()
  const reader = stream.getReader({ mode: 'byob' })
  const hold = { blob, stream, reader }
  held.add(hold)
  let buffer = new ArrayBuffer(Math.min(pieceBytes, blob.size))
  try {
    for (let at = 0; at < blob.size; at += pieceBytes) {
      const wanted = Math.min(pieceBytes, blob.size - at)
      let filled = 0
      while (filled < wanted) {
        const { done, value } = await reader.read(new Uint8Array(buffer, filled, wanted - filled))
        if (done || !value) throw new Error(`it ends at ${at + filled} of ${blob.size} bytes`)
        // the stream has taken the buffer, and gives it back as another
        buffer = value.buffer
        filled += value.byteLength
      }
      yield new Uint8Array(buffer, 0, wanted)
      if ((at + wanted) % TURN_BYTES < wanted) await breathe()
    }
  } finally {
    held.delete(hold)
    await reader.cancel()
  }
}

/** Whether blobs' streams fill a reader's buffer here: not yet in every browser. */
export function canReadPieces(): boolean {
  try {
    void new Blob().stream().getReader({ mode: 'byob' }).cancel()
    return true
  } catch {
    return false
  }
}
