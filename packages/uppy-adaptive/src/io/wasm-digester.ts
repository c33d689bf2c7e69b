import type { IHasher } from 'hash-wasm'
import type { Digester } from '../orchestration/ports.js'
import { breathe } from './breathe.js'
import type { HashingAnswer, HashingTask } from './hashing-worker.js'

/** A worker that has had nothing to do for so long is ended (guess: claims come about once a second). */
const IDLE_MS = 5_000

interface Asked {
  readonly bytes: Uint8Array
  readonly resolve: (digest: Uint8Array) => void
  readonly reject: (error: unknown) => void
}

/**
 * SHA-256 by hash-wasm, for pages that have no WebCrypto: in a worker, and where none can be loaded, as by a policy or a
 * bundler that leaves it out, in the page's thread, which has its turn after each piece.
 */
export class WasmDigester implements Digester {
  readonly #asked = new Map<number, Asked>()
  #worker: Worker | undefined
  #hasNoWorker = false
  #idling: ReturnType<typeof setTimeout> | undefined
  #count = 0
  #hashing: Promise<unknown> = Promise.resolve()

  digest(bytes: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#count += 1
      this.#asked.set(this.#count, { bytes, resolve, reject })
      this.#hash(this.#count, bytes)
    })
  }

  #hash(id: number, bytes: Uint8Array): void {
    const worker = this.#open()
    if (!worker) return this.#hashHere(id)
    // of a view all that is behind it would be copied; and the page still needs its own
    const own = bytes.slice()
    worker.postMessage({ id, bytes: own } satisfies HashingTask, [own.buffer])
  }

  #open(): Worker | undefined {
    clearTimeout(this.#idling)
    if (this.#hasNoWorker || this.#worker) return this.#worker
    try {
      // bundlers know it by this form
      const worker = new Worker(new URL('./hashing-worker.js', import.meta.url), { type: 'module' })
      worker.onmessage = ({ data }: MessageEvent<HashingAnswer>) => this.#answer(data.id, data.digest)
      worker.onerror = () => this.#doWithout()
      this.#worker = worker
    } catch {
      this.#hasNoWorker = true
    }
    return this.#worker
  }

  #answer(id: number, digest: Uint8Array): void {
    this.#asked.get(id)?.resolve(digest)
    this.#asked.delete(id)
    if (this.#asked.size === 0) this.#idling = setTimeout(() => this.#end(), IDLE_MS)
  }

  #end(): void {
    this.#worker?.terminate()
    this.#worker = undefined
  }

  #doWithout(): void {
    this.#hasNoWorker = true
    this.#end()
    for (const id of this.#asked.keys()) this.#hashHere(id)
  }

  #hashHere(id: number): void {
    const asked = this.#asked.get(id)
    this.#asked.delete(id)
    if (!asked) return
    const hashed = this.#hashing.then(async () => {
      const hasher = await loadHasher()
      await breathe()
      return hasher.init().update(asked.bytes).digest('binary')
    })
    this.#hashing = hashed.catch(() => {})
    hashed.then(asked.resolve, asked.reject)
  }
}

let loading: Promise<IHasher> | undefined

function loadHasher(): Promise<IHasher> {
  loading ??= import('hash-wasm').then(({ createSHA256 }) => createSHA256())
  return loading
}
