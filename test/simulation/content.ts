import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { rememberDigestsOf } from '../../packages/uppy-adaptive/src/testing/known-bytes.js'

/** Blocks that files are cut from. */
export const LIBRARY_BLOCKS = 64

/** One buffer for all files of all runs, of other bytes in every block: each of them is hashed once in this process. */
export const library: Uint8Array = fill(LIBRARY_BLOCKS * BLOCK_SIZE)

function fill(sizeBytes: number): Uint8Array {
  const words = new Uint32Array(sizeBytes / 4)
  // xorshift32 (Marsaglia): no two blocks alike, the same in every process
  let state = 0x9e3779b9
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[i] = state
  }
  const bytes = new Uint8Array(words.buffer)
  rememberDigestsOf(bytes)
  return bytes
}
