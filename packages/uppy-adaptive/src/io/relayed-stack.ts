import type { HttpRequest, HttpResponse, HttpStack } from 'tus-js-client'
import type { AuthorizedAnswer, AuthorizedSender } from './authorized-sender.js'
import type { HttpAnswer } from './http.js'
import { AbortedError } from './http.js'

export interface Deadline {
  readonly signal: AbortSignal
  done(): void
}

/** What tus-js-client's requests are told to. `start` is the Upload-Offset of a PATCH. */
export interface RelayListener {
  /** A signal that ends the request when it has taken too long; undefined: as long as it likes. */
  deadline(method: string): Deadline | undefined
  onSending(method: string, start: number): void
  onHandedOver(offset: number): void
  onAnswer(method: string, answer: AuthorizedAnswer): void
  onFailure(method: string, error: unknown): void
  /** Whether the server knows how long the upload is. */
  hasLength?(): boolean
}

/** Requests of tus-js-client made as our own are: headers asked for each of them, promptly ended, broken answers noticed. */
export class RelayedStack implements HttpStack {
  readonly #sender: AuthorizedSender
  readonly #listener: RelayListener
  readonly #signal: AbortSignal

  constructor(sender: AuthorizedSender, listener: RelayListener, signal: AbortSignal) {
    this.#sender = sender
    this.#listener = listener
    this.#signal = signal
  }

  getName(): string {
    return 'RelayedStack'
  }

  createRequest(method: string, url: string): HttpRequest {
    return new RelayedRequest({ method, url, sender: this.#sender, listener: this.#listener, signal: this.#signal })
  }
}

interface RelayParts {
  readonly method: string
  readonly url: string
  readonly sender: AuthorizedSender
  readonly listener: RelayListener
  readonly signal: AbortSignal
}

class RelayedRequest implements HttpRequest {
  readonly #parts: RelayParts
  readonly #headers: Record<string, string> = {}
  #onProgress: (bytesSent: number) => void = () => {}

  constructor(parts: RelayParts) {
    this.#parts = parts
  }

  getMethod(): string {
    return this.#parts.method
  }

  getURL(): string {
    return this.#parts.url
  }

  setHeader(name: string, value: string): void {
    // every request of ours has it, and XMLHttpRequest would send it twice in one
    if (name !== 'Tus-Resumable') this.#headers[name] = value
  }

  getHeader(name: string): string | undefined {
    return this.#headers[name]
  }

  setProgressHandler(handler: (bytesSent: number) => void): void {
    this.#onProgress = handler
  }

  async send(body?: unknown): Promise<HttpResponse> {
    const { method, url, sender, listener, signal } = this.#parts
    const start = Number(this.#headers['Upload-Offset'] ?? 0)
    if (method === 'PATCH' && listener.hasLength?.()) delete this.#headers['Upload-Length']
    const deadline = listener.deadline(method)
    try {
      const answer = await sender.send({
        method,
        url,
        headers: this.#headers,
        body: body ?? undefined,
        signal: deadline?.signal ?? signal,
        onSending: () => listener.onSending(method, start),
        onHandedOver: (bytes) => {
          listener.onHandedOver(start + bytes)
          this.#onProgress(bytes)
        },
      })
      listener.onAnswer(method, answer)
      return asResponse(answer)
    } catch (error) {
      const isLate = error instanceof AbortedError && !signal.aborted
      const failure = isLate ? new Error(`${method} was not answered in its time`) : error
      listener.onFailure(method, failure)
      throw failure
    } finally {
      deadline?.done()
    }
  }

  /** The upload's signal ends it. */
  async abort(): Promise<void> {}

  getUnderlyingObject(): undefined {
    return undefined
  }
}

function asResponse(answer: HttpAnswer): HttpResponse {
  return {
    getStatus: () => answer.status,
    getHeader: (name) => answer.header(name),
    getBody: () => answer.body,
    getUnderlyingObject: () => undefined,
  }
}
