import * as tus from 'tus-js-client'
import type { Source } from '../orchestration/ports.js'
import { UploadError } from '../orchestration/upload-error.js'
import { allowCredentials, type HttpOptions } from './http.js'

/** Patience over restarts: about five minutes, with growing steps; tus-js-client starts again from the first after progress. */
const RETRY_DELAYS_MS = [100, 500, 1_000, 3_000, 5_000, ...Array<number>(30).fill(10_000)]

/** A server that still writes what was aborted answers 423 for a while. */
const TERMINATION_DELAYS_MS = [100, 500, 1_000, 3_000]

/** A server without our extension: tus-js-client's own upload. The URL is kept, so that a second call goes on. */
export class PlainUpload {
  readonly #options: HttpOptions
  readonly #endpoint: string
  readonly #metadata: Readonly<Record<string, string>>
  #url: string | null = null

  constructor(options: HttpOptions, o: { endpoint: string; metadata: Readonly<Record<string, string>> }) {
    this.#options = options
    this.#endpoint = o.endpoint
    this.#metadata = o.metadata
  }

  /** Resolves to the file's URL. @throws UploadError `refused`, `aborted`, or `gave-up` */
  async run(o: { source: Source; signal: AbortSignal; onProgress: (ackedBytes: number) => void }): Promise<string> {
    const request = await this.#requestOptions()
    return new Promise((resolve, reject) => {
      const upload = new tus.Upload(asReader(o.source), {
        endpoint: this.#endpoint,
        uploadUrl: this.#url,
        uploadSize: o.source.sizeBytes,
        fileReader: { openFile: async () => asFileSource(o.source) },
        ...request,
        metadata: { ...this.#metadata },
        retryDelays: RETRY_DELAYS_MS,
        storeFingerprintForResuming: false,
        onUploadUrlAvailable: () => {
          this.#url = upload.url
        },
        onProgress: (sent) => o.onProgress(sent),
        onSuccess: () => resolve(upload.url ?? ''),
        onError: (error) => reject(explain(error, this.#endpoint)),
      })
      const abort = () => {
        void upload.abort()
        reject(new UploadError('aborted', 'stopped'))
      }
      if (o.signal.aborted) return abort()
      o.signal.addEventListener('abort', abort, { once: true })
      upload.start()
    })
  }

  /** Ends on the server what was begun there; nothing when nothing was. @throws Error when the server cannot be told so */
  async terminate(): Promise<void> {
    const url = this.#url
    if (url === null) return
    await tus.Upload.terminate(url, { ...(await this.#requestOptions()), retryDelays: TERMINATION_DELAYS_MS })
    this.#url = null
  }

  async #requestOptions(): Promise<Partial<tus.UploadOptions>> {
    const { stack, withCredentials, addRequestId, onBeforeRequest, onAfterResponse } = this.#options
    return {
      httpStack: stack,
      headers: { ...(await this.#headers()) },
      addRequestId,
      onBeforeRequest: async (request) => {
        if (withCredentials) allowCredentials(request)
        await onBeforeRequest?.(request)
      },
      ...(onAfterResponse ? { onAfterResponse } : {}),
    }
  }

  async #headers(): Promise<Readonly<Record<string, string>>> {
    const { headers } = this.#options
    return typeof headers === 'function' ? headers({ endpoint: this.#endpoint, method: 'POST' }) : headers
  }
}

/** tus-js-client asks its file reader for the bytes; the file itself only has to be there. */
function asReader(source: Source): Pick<ReadableStreamDefaultReader, 'read'> {
  return { read: () => Promise.reject(new Error(`${source.sizeBytes} bytes are read through the file reader`)) }
}

function asFileSource(source: Source): tus.FileSource {
  return {
    size: source.sizeBytes,
    slice: async (start, end) => {
      const stop = Math.min(end, source.sizeBytes)
      const done = stop >= source.sizeBytes
      return stop > start ? { value: withSize(await source.body({ start, end: stop })), done } : { value: null, done }
    },
    close: () => {},
  }
}

/** tus-js-client reads a body's length from `size`, which bytes do not have. */
function withSize(body: unknown): unknown {
  return body instanceof Uint8Array ? Object.assign(body, { size: body.length }) : body
}

function explain(error: Error | tus.DetailedError, endpoint: string): UploadError {
  const response = 'originalResponse' in error ? error.originalResponse : null
  const status = response?.getStatus()
  if (status !== undefined && status >= 400 && status < 500) {
    return new UploadError(
      status === 413 ? 'too-large' : 'refused',
      `${endpoint} refused the upload (${status} ${response?.getBody().slice(0, 200) ?? ''})`,
      { cause: error, status },
    )
  }
  return new UploadError('gave-up', `${endpoint} could not be reached any more: ${error.message}`, { cause: error })
}
