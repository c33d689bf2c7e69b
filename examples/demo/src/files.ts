import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'

const PIECE_BYTES = 1024 * 1024

/** Writes a new file of random bytes. */
export async function writeRandomFile(path: string, sizeBytes: number, signal: AbortSignal): Promise<void> {
  const handle: FileHandle = await open(path, 'wx')
  try {
    for (let left = sizeBytes; left > 0; left -= PIECE_BYTES) {
      signal.throwIfAborted()
      await handle.writeFile(randomBytes(Math.min(left, PIECE_BYTES)))
    }
  } finally {
    await handle.close()
  }
}

/** SHA-256 of a file, hex. */
export async function hashFile(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: PIECE_BYTES }), hash, { signal })
  return hash.digest('hex')
}

/** SHA-256 of what a GET of `url` answers, hex, and how many bytes that were. @throws Error unless the answer is 200 */
export async function hashUrl(url: string, signal: AbortSignal): Promise<{ sha256: string; bytes: number }> {
  const answer = await fetch(url, { signal })
  if (answer.status !== 200 || answer.body === null) throw new Error(`GET ${url} answered ${answer.status}`)
  const hash = createHash('sha256')
  let bytes = 0
  for await (const piece of answer.body) {
    hash.update(piece)
    bytes += piece.byteLength
  }
  return { sha256: hash.digest('hex'), bytes }
}
