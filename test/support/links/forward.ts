import {
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request as openRequest,
  ServerResponse,
} from 'node:http'
import { constants, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ObservedRequest, RequestObserverEvents } from './request-observer.js'

export type ForwardOptions = {
  readonly target: { readonly host: string; readonly port: number }
  /** Told of requests as they are passed on. */
  readonly observer: RequestObserverEvents
}

/** What is said of a connection and not of a request (RFC 9110, 7.6.1), and what only a proxy may say. */
const OWN_FIELDS = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'transfer-encoding', 'upgrade', 'http2-settings'],
  ...['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'host'],
])

/** For how long a client that still sends may read an early answer before its HTTP/1.1 connection ends (guess). */
const LINGER_MS = 1_000

/** Passes one request on, and its answer back. A client of HTTP/1.1 has Node's ordinary classes, which look the same. */
export function forward(request: Http2ServerRequest, response: Http2ServerResponse, options: ForwardOptions): void {
  // what goes wrong is said by 'close'
  response.on('error', () => {})
  request.on('error', () => {})
  const upstream = openRequest({
    ...options.target,
    agent: false,
    method: request.method,
    path: request.url,
    headers: requestHeaders(request),
  })
  let isAnswered = false
  response.once('close', () => upstream.destroy())
  upstream.on('response', (answer) => {
    isAnswered = true
    passBack(answer, request, response)
  })
  upstream.on('error', () => {
    if (isAnswered) return
    isAnswered = true
    response.writeHead(502, { 'Content-Type': 'text/plain' })
    response.write('502: the server does not answer\n')
    void endAnswer(request, response)
  })
  passOn(request, upstream, options.observer)
  // a server may answer before the first byte of the body
  if (mayHaveBody(request)) upstream.flushHeaders()
}

function passOn(request: Http2ServerRequest, upstream: ClientRequest, observer: RequestObserverEvents): void {
  const observed = {
    method: request.method,
    path: request.url,
    contentType: request.headers['content-type'] ?? '',
    isHttp2: isHttp2(request),
  }
  let bodyBytes = 0
  const facts = (): ObservedRequest => ({ ...observed, bodyBytes })
  observer.onHead?.(facts())
  const { stream } = request
  request.on('data', (piece: Buffer) => {
    if (upstream.destroyed) return
    bodyBytes += piece.length
    observer.onBody?.(facts(), piece.length)
    if (!upstream.write(piece)) request.pause()
  })
  for (const event of ['drain', 'close']) upstream.on(event, () => void request.resume())
  request.on('end', () => {
    // a stream that was reset ends, too
    const isWhole = isHttp2(request)
      ? stream.readableEnded && !stream.aborted && stream.rstCode === 0
      : request.complete
    if (isWhole) {
      observer.onRequest?.(facts())
      upstream.addTrailers(trailersOf(request))
      upstream.end()
    } else upstream.destroy()
  })
}

function passBack(answer: IncomingMessage, request: Http2ServerRequest, response: Http2ServerResponse): void {
  response.writeHead(answer.statusCode ?? 502, answerHeaders(answer, isHttp2(request)))
  // HTTP/2 holds none back
  if (response instanceof ServerResponse) response.flushHeaders()
  answer.on('data', (piece: Buffer) => {
    if (!response.write(piece)) answer.pause()
  })
  response.on('drain', () => answer.resume())
  answer.on('end', () => {
    response.addTrailers(trailersOf(answer))
    void endAnswer(request, response)
  })
  answer.on('close', () => {
    if (!answer.complete) breakOff(request, response)
  })
  answer.on('error', () => {})
}

/** Ends the answer; and the request, where that still comes and nobody wants it. */
async function endAnswer(request: Http2ServerRequest, response: Http2ServerResponse): Promise<void> {
  request.resume()
  if (isHttp2(request)) {
    const { stream } = request
    // RFC 9113, 8.1: the whole answer first, then NO_ERROR
    response.end(() => {
      if (!stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR)
    })
    return
  }
  // Node closes at the end of an early answer, and a close with bytes unread is a reset that may overtake the answer
  if (!request.complete) await Promise.race([sleep(LINGER_MS, undefined, { ref: false }), closed(request)])
  response.end()
}

function closed(request: Http2ServerRequest): Promise<void> {
  return new Promise((resolve) => void request.once('close', resolve).once('end', resolve))
}

function breakOff(request: Http2ServerRequest, response: Http2ServerResponse): void {
  if (isHttp2(request)) response.stream.close(constants.NGHTTP2_INTERNAL_ERROR)
  else request.socket.destroy()
}

function isHttp2(request: Http2ServerRequest): boolean {
  return request.httpVersionMajor === 2
}

function requestHeaders(request: Http2ServerRequest): OutgoingHttpHeaders {
  const kept = Object.entries(request.headers).filter(([name]) => !name.startsWith(':') && !OWN_FIELDS.has(name))
  const headers: OutgoingHttpHeaders = {
    ...Object.fromEntries(kept),
    Host: isHttp2(request) ? request.authority : request.headers.host,
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-For': request.socket.remoteAddress,
  }
  // without a length its end is told by chunks
  if (mayHaveBody(request) && headers['content-length'] === undefined) headers['Transfer-Encoding'] = 'chunked'
  return headers
}

/** Of HTTP/2 nobody knows before whether a body comes, unless the head ends the stream. */
function mayHaveBody(request: Http2ServerRequest): boolean {
  if (isHttp2(request)) return !request.stream.endAfterHeaders
  return request.headers['transfer-encoding'] !== undefined || request.headers['content-length'] !== undefined
}

function answerHeaders(answer: IncomingMessage, isOverHttp2: boolean): OutgoingHttpHeaders {
  const kept = Object.entries(answer.headers).filter(([name]) => !OWN_FIELDS.has(name))
  // HTTP/2 forbids it
  const connection = isOverHttp2 || answer.headers.connection !== 'close' ? {} : { Connection: 'close' }
  return { ...Object.fromEntries(kept), ...connection }
}

function trailersOf(message: { readonly trailers: NodeJS.Dict<string | string[]> }): OutgoingHttpHeaders {
  return { ...message.trailers }
}
