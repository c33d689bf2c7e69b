import * as tus from 'tus-js-client'
import type { AttemptOutcome, PlainOutcome, PlainPort, PlainRun, Source } from '../orchestration/ports.js'
import { toError, UploadError } from '../orchestration/upload-error.js'
import { type AuthorizedAnswer, AuthorizedSender } from './authorized-sender.js'
import { HeadersError } from './credentials.js'
import type { HttpOptions } from './http.js'
import { faultOf } from './network-fault.js'
import { cutByStranger, firstLine, isOwnWord, readRefusal } from './refusal.js'
import { RelayedStack, type RelayListener } from './relayed-stack.js'

/** A server that still writes what was aborted answers 423 for a while. */
const TERMINATION_DELAYS_MS = [100, 500, 1_000, 3_000]

/** A server without our extension: tus-js-client's own upload, until it is done or fails for the first time. */
export class PlainTus implements PlainPort {
  readonly endpoint: string
  readonly #sender: AuthorizedSender
  /** It has said that it is a tus server, and a browser was let see it: who does not say so is another. */
  #isKnownTus = false

  constructor(endpoint: string, options: HttpOptions) {
    this.endpoint = endpoint
    this.#sender = new AuthorizedSender(options)
  }

  /** @throws UploadError of the source */
  run(o: PlainRun): Promise<PlainOutcome> {
    return new Promise((resolve, reject) => {
      if (o.signal.aborted) return resolve({ kind: 'aborted' })
      const last: Exchange = { method: 'POST', answer: undefined, error: undefined }
      const upload = new tus.Upload(asReader(o.source), {
        // with an endpoint tus-js-client would answer any 4xx on resuming by a new upload
        ...(o.url === undefined ? { endpoint: this.endpoint } : { uploadUrl: o.url }),
        ...(isStream(o.source) ? { uploadLengthDeferred: true } : { uploadSize: o.source.sizeBytes }),
        fileReader: { openFile: async () => asFileSource(o) },
        httpStack: new RelayedStack(
          this.#sender,
          this.#listenTo(o, last, () => upload),
          o.signal,
        ),
        metadata: { ...o.metadata },
        retryDelays: null,
        storeFingerprintForResuming: false,
        onUploadUrlAvailable: () => upload.url !== null && o.onUrl(upload.url),
        onSuccess: () => resolve({ kind: 'done', url: upload.url ?? '' }),
        onError: (error) => {
          const cause = 'causingError' in error ? error.causingError : undefined
          if (cause instanceof UploadError) reject(cause)
          else if (cause instanceof AnotherFileError) resolve({ kind: 'another', why: cause.message })
          else resolve(readOutcome(last, { said: error, isKnownTus: this.#isKnownTus }))
        },
      })
      const abort = () => {
        void upload.abort()
        resolve({ kind: 'aborted' })
      }
      o.signal.addEventListener('abort', abort, { once: true })
      upload.start()
    })
  }

  async terminate(url: string): Promise<void> {
    const silent = { deadline: () => undefined, onSending() {}, onHandedOver() {}, onAnswer() {}, onFailure() {} }
    const httpStack = new RelayedStack(this.#sender, silent, new AbortController().signal)
    await tus.Upload.terminate(url, { httpStack, retryDelays: TERMINATION_DELAYS_MS })
  }

  #listenTo(o: PlainRun, last: Exchange, upload: () => tus.Upload): RelayListener {
    return {
      deadline: (method) => (method === 'PATCH' ? undefined : o.openDeadline()),
      onSending: (method, start) => {
        const size = upload().options.chunkSize ?? Number.POSITIVE_INFINITY
        if (method === 'PATCH') o.onPatch({ start, end: Math.min(o.source.sizeBytes, start + size) })
      },
      onHandedOver: (offset) => o.onHandedOver(offset),
      onAnswer: (method, answer) => {
        Object.assign(last, { method, answer, error: undefined })
        this.#isKnownTus ||= isOwnWord(answer)
        const offset = method === 'POST' ? 0 : Number(answer.header('Upload-Offset') ?? Number.NaN)
        if (answer.status >= 300 || !Number.isSafeInteger(offset)) return
        refuseAnother(answer, offset, o.source)
        o.source.release?.(offset)
        last.hasLength ||= answer.header('Upload-Length') !== undefined
        o.onOffset(offset, method === 'PATCH')
        // tus-js-client reads it at every PATCH
        if (offset < o.source.sizeBytes) upload().options.chunkSize = o.nextSize(offset)
      },
      onFailure: (method, error) => Object.assign(last, { method, answer: undefined, error }),
      // a length that is told twice is refused by some, though it is the same
      hasLength: () => last.hasLength ?? false,
    }
  }
}

/** What is at the URL is no upload of this file: its bytes are not to be put together with the file's. */
class AnotherFileError extends Error {}

/** tus-js-client takes an upload whose offset is its own length for this one, complete. */
function refuseAnother(answer: AuthorizedAnswer, offset: number, { sizeBytes }: Source): void {
  const length = answer.header('Upload-Length')
  if (!Number.isFinite(sizeBytes)) return
  if (length !== undefined && Number(length) !== sizeBytes)
    throw new AnotherFileError(`it is of ${length} bytes there, the file of ${sizeBytes}`)
  if (offset > sizeBytes) throw new AnotherFileError(`${offset} bytes are there of a file of ${sizeBytes}`)
}

/** What tusd answers (400) to a PATCH that it has ended for another request of the same upload, such as one that came late. */
const INTERRUPTED = 'ERR_UPLOAD_INTERRUPTED'

/** The last request, and what became of it. */
interface Exchange {
  method: string
  answer: AuthorizedAnswer | undefined
  error: unknown
  /** The server has been told how long the upload is. */
  hasLength?: boolean
}

/** tus-js-client asks its file reader for the bytes; the file itself only has to be there. */
function asReader(source: Source): Pick<ReadableStreamDefaultReader, 'read'> {
  return { read: () => Promise.reject(new Error(`${source.sizeBytes} bytes are read through the file reader`)) }
}

function asFileSource({ source, admit }: PlainRun): tus.FileSource {
  if (isStream(source)) return asStreamSource(source, admit)
  return {
    size: source.sizeBytes,
    slice: async (start, end) => {
      const stop = Math.min(end, source.sizeBytes)
      const done = stop >= source.sizeBytes
      if (stop > start) await admit({ start, end: stop })
      return stop > start ? { value: withSize(await source.body({ start, end: stop })), done } : { value: null, done }
    },
    close: () => {},
  }
}

/** tus-js-client reads a body's length from `size`, which bytes do not have. */
function withSize(body: unknown): unknown {
  return body instanceof Uint8Array ? Object.assign(body, { size: body.length }) : body
}

function isStream({ bufferBytes }: Source): boolean {
  return bufferBytes !== undefined
}

/** What is not there yet is waited for; the last piece is known for the last when the stream has ended. */
function asStreamSource(source: Source, admit: PlainRun['admit']): tus.FileSource {
  return {
    // never asked for: the length is deferred
    size: Number.NaN,
    slice: async (start, end) => {
      const body = await source.body({ start, end })
      const bytes = body instanceof Uint8Array ? body : new Uint8Array()
      const stop = start + bytes.length
      if (stop > start) await admit({ start, end: stop })
      return { value: bytes.length > 0 ? withSize(bytes) : null, done: stop >= source.sizeBytes }
    },
    close: () => {},
  }
}

/** What the last answer says, or that there was none: the row of the table that it is, with its figures. */
function readOutcome({ method, answer, error }: Exchange, o: { said: Error; isKnownTus: boolean }): AttemptOutcome {
  const { said, isKnownTus } = o
  if (!answer) {
    const cause = toError(error ?? said)
    return error instanceof HeadersError
      ? { kind: 'cut', failure: 'configuration', cause }
      : { kind: 'cut', fault: faultOf(error), cause }
  }
  const { status } = answer
  if (status < 400) {
    const cause = new Error(`the answer ${status} to ${method} is no tus server's: ${said.message.slice(0, 100)}`)
    return { kind: 'cut', fault: 'incomplete answer', cause }
  }
  if (isKnownTus && !isOwnWord(answer) && !isOfGateway(status)) return cutByStranger(status)
  if (answer.body.startsWith(INTERRUPTED))
    return { kind: 'cut', fault: 'reset', cause: new Error(firstLine(answer.body)) }
  // asked to create, it says that the address is wrong; asked to go on, that the upload is gone
  const over: AttemptOutcome =
    method === 'POST'
      ? { kind: 'refused', status, message: firstLine(answer.body) }
      : { kind: 'over', state: `${status}`, status }
  return readRefusal(answer, {
    mismatch: { kind: 'mismatch', offset: undefined, url: undefined, reachedEnd: false },
    over,
  })
}

/** What is refused before the server is reached: gateways of hosted services judge credentials, bodies and rates. */
function isOfGateway(status: number): boolean {
  return [401, 403, 413, 429].includes(status) || status >= 500
}
