import { createSHA256 } from 'hash-wasm'

/** What a page asks; the answer has the same id. */
export interface HashingTask {
  readonly id: number
  readonly bytes: Uint8Array
}

export interface HashingAnswer {
  readonly id: number
  readonly digest: Uint8Array
}

const hasher = createSHA256()

addEventListener('message', async ({ data: { id, bytes } }: MessageEvent<HashingTask>) => {
  try {
    const digest = (await hasher).init().update(bytes).digest('binary')
    postMessage({ id, digest } satisfies HashingAnswer)
  } catch (error) {
    // the page hears of it, and hashes by itself
    reportError(error)
  }
})
