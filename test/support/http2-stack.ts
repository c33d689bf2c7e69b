import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2'
import { Readable } from 'node:stream'
import { DefaultHttpStack, type HttpRequest, type HttpResponse, type HttpStack } from 'tus-js-client'

type Handler = (bytesSent: number) => void
/** What the engine sends in Node; a stream knows its `size`. */
type Body = Uint8Array | string | (Readable & { readonly size: number }) | null | undefined

/** How much of a body is handed over at once, bytes: as HTTP/2 frames it. */
const PIECE_BYTES = 16_384

/**
 * tus-js-client's requests over HTTP/2, as a browser makes them: one connection for all requests of an origin, kept; an
 * abort ends a request and leaves its connection alone, also one that is dead; a new connection only when the old one
 * said GOAWAY or broke. What has no TLS is spoken to in HTTP/1.1. Node's own trust decides (NODE_EXTRA_CA_CERTS).
 */
export class Http2Stack implements HttpStack {
  readonly #sessions = new Map<string, ClientHttp2Session>()
  readonly #clear = new DefaultHttpStack({})

  createRequest(method: string, url: string): HttpRequest {
    if (!url.startsWith('https:')) return this.#clear.createRequest(method, url)
    return new Http2Request({ method, url: new URL(url), session: (origin) => this.#session(origin) })
  }

  getName(): string {
    return 'Http2Stack'
  }

  /** Ends every connection. */
  close(): void {
    for (const session of this.#sessions.values()) session.destroy()
  }

  #session(origin: string): ClientHttp2Session {
    const known = this.#sessions.get(origin)
    if (known && !known.closed && !known.destroyed) return known
    const session = connect(origin)
    // what went wrong is said by its requests
    session.on('error', () => {})
    this.#sessions.set(origin, session)
    return session
  }
}

type Made = {
  readonly method: string
  readonly url: URL
  readonly session: (origin: string) => ClientHttp2Session
}

class Http2Request implements HttpRequest {
  readonly #made: Made
  readonly #headers: Record<string, string> = {}
  #onProgress: Handler = () => {}
  #stream: ClientHttp2Stream | undefined

  constructor(made: Made) {
    this.#made = made
  }

  getMethod(): string {
    return this.#made.method
  }

  getURL(): string {
    return this.#made.url.href
  }

  setHeader(name: string, value: string): void {
    this.#headers[name.toLowerCase()] = value
  }

  getHeader(name: string): string | undefined {
    return this.#headers[name.toLowerCase()]
  }

  setProgressHandler(handler: Handler): void {
    this.#onProgress = handler
  }

  send(body?: Body): Promise<HttpResponse> {
    const { method, url, session } = this.#made
    const length = lengthOf(body)
    const stream = session(url.origin).request(
      {
        ':method': method,
        ':path': `${url.pathname}${url.search}`,
        ...this.#headers,
        ...(length === undefined ? {} : { 'content-length': length }),
      },
      { endStream: length === undefined },
    )
    this.#stream = stream
    const answer = readAnswer(stream)
    if (length !== undefined) void sendBody(stream, body, this.#onProgress)
    return answer
  }

  async abort(): Promise<void> {
    this.#stream?.close(constants.NGHTTP2_CANCEL)
  }

  getUnderlyingObject(): ClientHttp2Stream | undefined {
    return this.#stream
  }
}

function lengthOf(body: Body): number | undefined {
  if (body === null || body === undefined) return undefined
  if (typeof body === 'string') return Buffer.byteLength(body)
  return body instanceof Readable ? body.size : body.length
}

async function sendBody(stream: ClientHttp2Stream, body: Body, onProgress: Handler): Promise<void> {
  let sent = 0
  try {
    for await (const piece of piecesOf(body)) {
      if (!stream.writable) return
      await new Promise<void>((resolve) => {
        stream.once('close', resolve)
        stream.write(piece, () => {
          stream.off('close', resolve)
          resolve()
        })
      })
      sent += piece.length
      onProgress(sent)
    }
    stream.end()
  } catch {
    // the source broke: half a body is none
    stream.close(constants.NGHTTP2_CANCEL)
  }
}

async function* piecesOf(body: Body): AsyncGenerator<Uint8Array> {
  if (body instanceof Readable) return yield* body
  const bytes = typeof body === 'string' ? Buffer.from(body) : (body ?? new Uint8Array())
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES)
}

function readAnswer(stream: ClientHttp2Stream): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    let headers: Record<string, unknown> = {}
    const pieces: Buffer[] = []
    stream.on('response', (received) => {
      headers = received
    })
    stream.on('data', (piece: Buffer) => pieces.push(piece))
    stream.on('error', reject)
    stream.on('end', () => {
      const status = headers[':status']
      // an abort ends it, too
      if (typeof status !== 'number' || stream.rstCode !== 0) return reject(new Error('the stream was reset'))
      const body = Buffer.concat(pieces).toString()
      resolve({
        getStatus: () => status,
        getHeader: (name) => readHeader(headers[name.toLowerCase()]),
        getBody: () => body,
        getUnderlyingObject: () => stream,
      })
    })
  })
}

function readHeader(value: unknown): string | undefined {
  return value === undefined ? undefined : String(value)
}
