import type { ByteRange } from 'tus-reconcile-protocol'
import type { Source } from '../orchestration/ports.js'
import { toError, UploadError } from '../orchestration/upload-error.js'

/** A web ReadableStream, or what Node's Readable and generators are. Pieces are bytes. */
export type StreamInput = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>

export function isStream(input: unknown): input is StreamInput {
  if (typeof input !== 'object' || input === null || input instanceof Uint8Array) return false
  if (typeof Blob !== 'undefined' && input instanceof Blob) return false
  return 'getReader' in input || Symbol.asyncIterator in input
}

/** Where the next piece comes from. */
interface Reader {
  next(): Promise<Uint8Array | undefined>
  cancel(): Promise<unknown>
}

/**
 * A stream of unknown size as a source, read once: what the server has not acknowledged is kept to be sent again, at most
 * `bufferBytes` of it, and the stream is not read further meanwhile.
 */
export class StreamSource implements Source {
  readonly contentType: undefined = undefined
  readonly fingerprint: undefined = undefined
  readonly bufferBytes: number
  readonly #reader: Reader
  readonly #pieces: Uint8Array[] = []
  /** First byte that is kept, and how many are. */
  #start = 0
  #kept = 0
  #hasEnded = false
  #reading: Promise<void> = Promise.resolve()

  constructor(stream: StreamInput, bufferBytes: number) {
    this.#reader = readerOf(stream)
    this.bufferBytes = bufferBytes
  }

  /** Infinity until the stream's end was read. */
  get sizeBytes(): number {
    return this.#hasEnded ? this.#start + this.#kept : Number.POSITIVE_INFINITY
  }

  /** Waits for as many bytes; fewer come only at the stream's end. @throws UploadError `stream-passed`, `source-unreadable` */
  async body({ start, end }: ByteRange): Promise<Uint8Array> {
    this.release(Math.min(start, this.#start + this.#kept))
    if (start !== this.#start) {
      const message = `the server has ${start} bytes of a stream whose bytes before ${this.#start} are no longer kept: upload it again from its start`
      throw new UploadError('stream-passed', message)
    }
    const wanted = Math.min(end - start, this.bufferBytes)
    this.#reading = this.#reading.then(() => this.#fill(wanted))
    await this.#reading
    return this.#copy(Math.min(wanted, this.#kept))
  }

  read(range: ByteRange): Promise<Uint8Array> {
    return this.body(range)
  }

  /** The server has all before this byte: it is not asked for again. */
  release(offset: number): void {
    let [piece] = this.#pieces
    while (piece && this.#start < offset) {
      const passed = Math.min(piece.length, offset - this.#start)
      this.#start += passed
      this.#kept -= passed
      if (passed === piece.length) this.#pieces.shift()
      else this.#pieces[0] = piece.subarray(passed)
      ;[piece] = this.#pieces
    }
  }

  /** What is kept stays, for another start of the upload. */
  async close(): Promise<void> {}

  /** Nobody reads on: whoever writes the stream is told so. */
  async discard(): Promise<void> {
    this.#pieces.length = 0
    this.#kept = 0
    if (!this.#hasEnded) await this.#reader.cancel()
  }

  async #fill(bytes: number): Promise<void> {
    while (this.#kept < bytes && !this.#hasEnded) {
      const piece = await this.#next()
      if (piece === undefined) this.#hasEnded = true
      else if (piece.length > 0) {
        this.#pieces.push(piece)
        this.#kept += piece.length
      }
    }
  }

  async #next(): Promise<Uint8Array | undefined> {
    let piece: unknown
    try {
      piece = await this.#reader.next()
    } catch (cause) {
      const message = `the stream broke after ${this.#start + this.#kept} bytes (${toError(cause).message}): upload it again from its start`
      throw new UploadError('source-unreadable', message, { cause })
    }
    if (piece === undefined || piece instanceof Uint8Array) return piece
    throw new UploadError('bad-source', `the stream gives a ${typeof piece}, not bytes: give a stream of Uint8Array`)
  }

  #copy(bytes: number): Uint8Array {
    const copy = new Uint8Array(bytes)
    let filled = 0
    for (const piece of this.#pieces) {
      if (filled === bytes) break
      copy.set(piece.subarray(0, bytes - filled), filled)
      filled += Math.min(piece.length, bytes - filled)
    }
    return copy
  }
}

function readerOf(stream: StreamInput): Reader {
  if ('getReader' in stream) {
    const reader = stream.getReader()
    return { next: async () => (await reader.read()).value, cancel: () => reader.cancel() }
  }
  const iterator = stream[Symbol.asyncIterator]()
  return {
    next: async () => {
      const { done, value } = await iterator.next()
      return done ? undefined : value
    },
    cancel: async () => iterator.return?.(),
  }
}
