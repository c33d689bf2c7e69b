import { BodyProgress } from '../../bodies/body-progress.js'
import { type BodyRead, hasBody, type RequestBody, requestBody } from '../../bodies/request-body.js'
import type { TusRequest } from '../../tus-request.js'

/** What ends a plain body before its end. */
interface BodyEnds {
  /** Bytes are waited for this long. */
  readonly timeoutMs: number
  /** What has arrived then is handed on, and the body ends as if that were all. */
  readonly draining: AbortSignal
  /** Told of that, before the end is seen. */
  readonly onStop: () => void
}

/**
 * Runs what reads `req.body`, for ever if need be, on a stream that hands on what comes as it is. The one that Node makes
 * of a request copies each piece, and reads thousands of them ahead of its reader. Where the body falls silent or drips
 * while it is waited for, its connection is ended. What arrived is kept, as after any cut.
 */
export async function withPlainBody<T>(req: TusRequest, ends: BodyEnds, run: () => Promise<T>): Promise<T> {
  const incoming = req.runtime?.node?.req
  if (!incoming || !hasBody(req)) return run()
  const body = requestBody(req)
  const wake = () => body.poke()
  ends.draining.addEventListener('abort', wake)
  const source = new PlainSource(body, ends, () => incoming.destroy(new Error('the body is too slow')))
  const stream = new ReadableStream<Uint8Array>(source, { highWaterMark: 0 })
  Object.defineProperty(req, 'body', { value: stream, configurable: true })
  try {
    return await run()
  } finally {
    ends.draining.removeEventListener('abort', wake)
    body.release()
  }
}

/** A body's bytes, as they are asked for. */
class PlainSource implements UnderlyingDefaultSource<Uint8Array> {
  readonly #body: RequestBody
  readonly #ends: BodyEnds
  readonly #hangUp: () => void
  readonly #progress: BodyProgress

  constructor(body: RequestBody, ends: BodyEnds, hangUp: () => void) {
    this.#body = body
    this.#ends = ends
    this.#hangUp = hangUp
    this.#progress = new BodyProgress(ends.timeoutMs)
    this.#progress.pause()
  }

  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    this.#progress.resume()
    const { read, isLast } = await this.#read()
    if (read.kind === 'bytes') this.#progress.note(read.bytes.length)
    this.#progress.pause()
    if (read.kind === 'end') return controller.close()
    if (read.kind === 'bytes') for (const piece of read.bytes.pieces) controller.enqueue(piece)
    if (isLast && read.kind !== 'cut') {
      this.#ends.onStop()
      return controller.close()
    }
    if (read.kind === 'bytes') return
    if (read.kind === 'stalled') this.#hangUp()
    controller.error(new Error('the connection broke off in mid-body'))
  }

  /** A server that stops takes what is here, and waits for nothing but the rest of what has arrived whole. */
  async #read(): Promise<{ read: BodyRead; isLast: boolean }> {
    for (;;) {
      const isStopping = this.#ends.draining.aborted && !this.#body.isComplete()
      const read = await this.#body.read(isStopping ? 0 : this.#progress.leftMs)
      if (read.kind !== 'changed') return { read, isLast: isStopping && !this.#body.isComplete() }
    }
  }
}
