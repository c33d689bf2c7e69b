/** One request as it went by. `bodyBytes` is the body alone, without chunk framing. */
export type ObservedRequest = {
  readonly method: string
  /** The request target, as sent. */
  readonly path: string
  /** As sent; '' when there is none. */
  readonly contentType: string
  /** By HTTP/2, and not by HTTP/1.1. */
  readonly isHttp2: boolean
  readonly bodyBytes: number
}

export type RequestObserverEvents = {
  /** A request's head has gone by. */
  readonly onHead?: (request: ObservedRequest) => void
  /** Body bytes have gone by, right after they did. */
  readonly onBody?: (request: ObservedRequest, bytes: number) => void
  /** A request has gone by whole. */
  readonly onRequest?: (request: ObservedRequest) => void
}

/** RFC 9112 names no limit; Node's own is 16 KiB. A guess that no honest head exceeds. */
const mostHeadBytes = 65_536

const lineFeed = 10
const tokenPattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

type Head = { readonly method: string; readonly path: string; readonly fields: Map<string, string> }
type Open = { method: string; path: string; contentType: string; isHttp2: false; bodyBytes: number }

type State =
  | { readonly kind: 'requestLine' }
  | { readonly kind: 'fields'; readonly head: Head }
  | { readonly kind: 'body'; readonly request: Open; leftBytes: number }
  | { readonly kind: 'chunkSize' | 'chunkEnd' | 'trailers'; readonly request: Open }
  | { readonly kind: 'chunk'; readonly request: Open; leftBytes: number }
  | { readonly kind: 'opaque' }

/**
 * Follows the requests on one HTTP/1.1 connection, from the bytes that its client sends, in whatever pieces they come.
 * It only looks: it keeps no body, alters nothing and never throws. What is not HTTP/1.1 (TLS, HTTP/2, CONNECT, an
 * upgrade, garbage) makes it `isOpaque`, and nothing is reported from there on.
 */
export class RequestObserver {
  readonly #events: RequestObserverEvents
  #state: State = { kind: 'requestLine' }
  #line = ''
  #headBytes = 0

  constructor(events: RequestObserverEvents) {
    this.#events = events
  }

  get isOpaque(): boolean {
    return this.#state.kind === 'opaque'
  }

  /** The next bytes of the connection. */
  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && this.#state.kind !== 'opaque'; ) {
      const state = this.#state
      at +=
        state.kind === 'body' || state.kind === 'chunk'
          ? this.#skimBody(state, bytes.length - at)
          : this.#readLine(bytes, at)
    }
  }

  #skimBody(state: Extract<State, { leftBytes: number }>, availableBytes: number): number {
    const bytes = Math.min(state.leftBytes, availableBytes)
    state.leftBytes -= bytes
    state.request.bodyBytes += bytes
    this.#events.onBody?.({ ...state.request }, bytes)
    if (state.leftBytes > 0) return bytes
    if (state.kind === 'chunk') this.#state = { kind: 'chunkEnd', request: state.request }
    else this.#finish(state.request)
    return bytes
  }

  #readLine(bytes: Uint8Array, at: number): number {
    const end = bytes.indexOf(lineFeed, at)
    const piece = bytes.subarray(at, end < 0 ? bytes.length : end + 1)
    this.#headBytes += piece.length
    this.#line += latin1(piece)
    if (this.#headBytes > mostHeadBytes) this.#state = { kind: 'opaque' }
    else if (end >= 0) this.#takeLine()
    return piece.length
  }

  #takeLine(): void {
    const line = this.#line.replace(/\r?\n$/, '')
    this.#line = ''
    this.#state = this.#after(this.#state, line)
  }

  #after(state: State, line: string): State {
    switch (state.kind) {
      case 'requestLine':
        return line === '' ? state : parseRequestLine(line)
      case 'fields':
        return line === '' ? this.#begin(state.head) : withField(state.head, line)
      case 'chunkSize':
        return parseChunkSize(line, state.request)
      case 'chunkEnd':
        this.#headBytes = 0
        return line === '' ? { kind: 'chunkSize', request: state.request } : { kind: 'opaque' }
      case 'trailers':
        return line === '' ? this.#finish(state.request) : state
      default:
        return state
    }
  }

  #begin({ method, path, fields }: Head): State {
    const contentType = fields.get('content-type') ?? ''
    const request: Open = { method, path, contentType, isHttp2: false, bodyBytes: 0 }
    this.#headBytes = 0
    this.#events.onHead?.({ ...request })
    if (method === 'CONNECT' || fields.has('upgrade')) return { kind: 'opaque' }
    const coding = fields.get('transfer-encoding')?.toLowerCase()
    if (coding !== undefined) return coding.endsWith('chunked') ? { kind: 'chunkSize', request } : { kind: 'opaque' }
    const length = fields.get('content-length') ?? '0'
    if (!/^\d{1,15}$/.test(length)) return { kind: 'opaque' }
    return length === '0' ? this.#finish(request) : { kind: 'body', request, leftBytes: Number(length) }
  }

  #finish(request: Open): State {
    this.#headBytes = 0
    this.#state = { kind: 'requestLine' }
    this.#events.onRequest?.({ ...request })
    return this.#state
  }
}

function parseRequestLine(line: string): State {
  const [method = '', path = '', version = '', ...rest] = line.split(' ')
  const isRequest = tokenPattern.test(method) && path !== '' && /^HTTP\/1\.[01]$/.test(version) && rest.length === 0
  return isRequest ? { kind: 'fields', head: { method, path, fields: new Map() } } : { kind: 'opaque' }
}

function withField(head: Head, line: string): State {
  const colon = line.indexOf(':')
  const name = line.slice(0, Math.max(0, colon)).toLowerCase()
  if (!tokenPattern.test(name)) return { kind: 'opaque' }
  head.fields.set(name, line.slice(colon + 1).trim())
  return { kind: 'fields', head }
}

function parseChunkSize(line: string, request: Open): State {
  const size = /^([0-9a-fA-F]{1,12})[ \t]*(;.*)?$/.exec(line)?.[1]
  if (size === undefined) return { kind: 'opaque' }
  const leftBytes = Number.parseInt(size, 16)
  return leftBytes === 0 ? { kind: 'trailers', request } : { kind: 'chunk', request, leftBytes }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
