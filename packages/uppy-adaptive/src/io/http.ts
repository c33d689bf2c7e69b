import type { HttpRequest, HttpResponse, HttpStack } from 'tus-js-client'
import { HEADER, parseLoad, TUS_VERSION } from 'tus-reconcile-protocol'
import type { HeaderSource } from '../orchestration/options.js'
import type { LoadListener } from '../orchestration/ports.js'
import { closeBody } from '../orchestration/ports.js'
import { StatusZeroError } from './network-fault.js'

/** A request whose answer is read as it comes. */
export type StreamingFetch = (url: string, init: RequestInit & { readonly body: string }) => Promise<Response>

/** A way to servers: how requests are made there. */
export interface HttpPath {
  readonly stack: HttpStack
  readonly fetch: StreamingFetch
}

export interface HttpOptions extends HttpPath {
  readonly headers: HeaderSource
  readonly withCredentials: boolean
  readonly addRequestId: boolean
  readonly onBeforeRequest: ((request: HttpRequest) => void | Promise<void>) | undefined
  readonly onAfterResponse: ((request: HttpRequest, response: HttpResponse) => void | Promise<void>) | undefined
}

export interface HttpCall {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly signal: AbortSignal
  readonly onHandedOver?: (bytes: number) => void
  readonly onSending?: (() => void) | undefined
}

export interface HttpAnswer {
  readonly status: number
  header(name: string): string | undefined
  readonly body: string
}

/** Tells what the answer says of the server's load, if it does. */
export function tellLoad(answer: HttpAnswer, onLoad: LoadListener | undefined): void {
  const load = parseLoad(answer.header(HEADER.load))
  if (load !== undefined) onLoad?.(load)
}

/** Guess: whoever asks for longer than a day asks for ever. Also keeps what a server says within what the model takes. */
const LONGEST_RETRY_AFTER_MS = 86_400_000

/** Milliseconds, at most a day, of seconds or of an HTTP date; a date counts by the server's own clock where the answer has its `Date`. */
export function readRetryAfter(answer: Pick<HttpAnswer, 'header'>): number | undefined {
  const text = answer.header('Retry-After')?.trim()
  if (!text) return undefined
  if (/^\d+(\.\d+)?$/.test(text)) return Math.min(LONGEST_RETRY_AFTER_MS, Number(text) * 1000)
  const saidAt = Date.parse(answer.header('Date') ?? '')
  const waitMs = Date.parse(text) - (Number.isNaN(saidAt) ? Date.now() : saidAt)
  if (Number.isNaN(waitMs) || text.startsWith('-')) return undefined
  return Math.min(LONGEST_RETRY_AFTER_MS, Math.max(0, waitMs))
}

/** The call was ended by its signal. */
export class AbortedError extends Error {
  constructor() {
    super('aborted')
    this.name = 'AbortedError'
  }
}

/**
 * One request over tus-js-client's HttpStack. Settles at once when the signal fires: in browsers `send()` never settles
 * after `abort()`, and in Node not when an answer breaks off, so our own promise is raced against it (DESIGN 5.1).
 */
export async function sendRequest(options: HttpOptions, call: HttpCall): Promise<HttpAnswer> {
  if (call.signal.aborted) throw new AbortedError()
  const request = options.stack.createRequest(call.method, call.url)
  await orAbort(setHeaders(options, call, request), call.signal)
  if (call.onHandedOver) request.setProgressHandler(call.onHandedOver)
  if (options.withCredentials) allowCredentials(request)
  await orAbort(options.onBeforeRequest?.(request), call.signal)
  call.onSending?.()
  const response = await raceAbort(request, call)
  await orAbort(options.onAfterResponse?.(request, response), call.signal)
  return {
    status: response.getStatus(),
    header: (name) => response.getHeader(name) ?? undefined,
    body: response.getBody() ?? '',
  }
}

/** The application's own promise, such as a token's refresh, may never settle: an abort does not wait for it. */
export function orAbort<T>(work: T | Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(new AbortedError())
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort)
    Promise.resolve(work)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', abort))
  })
}

async function setHeaders(options: HttpOptions, call: HttpCall, request: HttpRequest): Promise<void> {
  const given =
    typeof options.headers === 'function'
      ? await options.headers({ endpoint: call.url, method: call.method })
      : options.headers
  if (call.method !== 'OPTIONS') request.setHeader('Tus-Resumable', TUS_VERSION)
  if (options.addRequestId) request.setHeader('X-Request-ID', crypto.randomUUID())
  for (const [name, value] of Object.entries({ ...given, ...call.headers })) request.setHeader(name, value)
}

/** In browsers, cookies across origins. */
export function allowCredentials(request: HttpRequest): void {
  const underlying: unknown = request.getUnderlyingObject()
  if (typeof underlying === 'object' && underlying !== null && 'withCredentials' in underlying)
    underlying.withCredentials = true
}

function raceAbort(request: HttpRequest, call: HttpCall): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      call.signal.removeEventListener('abort', abort)
      closeBody(call.body)
      dropUnsent(request)
      request.abort().catch(() => {})
      reject(new AbortedError())
    }
    if (call.signal.aborted) return abort()
    call.signal.addEventListener('abort', abort)
    const settle = () => {
      call.signal.removeEventListener('abort', abort)
      closeBody(call.body)
    }
    request.send(call.body).then(
      (response) => {
        settle()
        resolve(response)
      },
      (error: unknown) => {
        settle()
        reject(describeFailure(error))
      },
    )
    watchBrokenAnswer(request, (error) => {
      settle()
      reject(error)
    })
  })
}

/** In Node an answer that breaks off is neither a response nor an error to the stack: listen for it on the request itself. */
function watchBrokenAnswer(request: HttpRequest, onBroken: (error: Error) => void): void {
  const underlying: unknown = request.getUnderlyingObject()
  if (!isEmitter(underlying)) return
  underlying.once('close', () => {
    // the stack reads the body to its end in the same turn as 'close' where there is one: give it the turn after
    setTimeout(() => onBroken(new Error('the connection closed before the answer was complete')), 0)
  })
}

/**
 * What the socket still holds of a body, megabytes at times, would go out after an abort: in Node a reset drops it. Not of
 * TLS, which Node cannot reset, and not in browsers.
 */
function dropUnsent(request: HttpRequest): void {
  const underlying: unknown = request.getUnderlyingObject()
  const socket = isRecord(underlying) ? underlying.socket : undefined
  if (!isRecord(socket) || socket.encrypted === true || typeof socket.resetAndDestroy !== 'function') return
  socket.resetAndDestroy()
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

interface Emitter {
  once(event: string, listener: () => void): void
}

function isEmitter(value: unknown): value is Emitter {
  return typeof value === 'object' && value !== null && 'once' in value && typeof value.once === 'function'
}

/** A browser's failure is a ProgressEvent. */
function describeFailure(error: unknown): Error {
  return error instanceof Error ? error : new StatusZeroError()
}
