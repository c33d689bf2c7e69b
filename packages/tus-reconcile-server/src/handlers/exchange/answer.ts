import { HEADER } from 'tus-reconcile-protocol'
import type { RequestBody } from '../../bodies/request-body.js'
import { Refusal } from '../../groups/refusal.js'
import { isNoSpace } from '../../store/no-space.js'
import type { Exchange, Site } from './site.js'
import { STATUS_OF } from './statuses.js'

/** How long and how much is still read after an early answer, so that it is not lost in a reset (spec: PROTOCOL). */
const DRAIN_MS = 200
const DRAIN_BYTES = 262_144

type HeaderValues = Readonly<Record<string, string | number | null | undefined>>

/** The headers that @tus/server prepared, this store's name, and `values` without the absent ones. */
export function answerHeaders(site: Site, exchange: Exchange, values: HeaderValues): Headers {
  const headers = new Headers(exchange.headers)
  headers.set(HEADER.storeId, site.storeId)
  for (const [name, value] of Object.entries(values)) {
    if (value !== null && value !== undefined) headers.set(name, String(value))
  }
  return headers
}

export function emptyAnswer(site: Site, exchange: Exchange, status: number, values: HeaderValues = {}): Response {
  const headers = answerHeaders(site, exchange, values)
  if (status !== 204) headers.set('Content-Length', '0')
  return new Response(null, { status, headers })
}

export function jsonAnswer(
  site: Site,
  exchange: Exchange,
  answer: { readonly status: number; readonly json: string; readonly headers?: HeaderValues },
): Response {
  const headers = answerHeaders(site, exchange, {
    'Cache-Control': 'no-store',
    ...answer.headers,
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(answer.json),
  })
  return new Response(answer.json, { status: answer.status, headers })
}

/**
 * Answers a refusal. While the client is still sending, the answer goes out at once, some of the body is read and
 * thrown away so that the answer is not lost in a reset, and the connection closes.
 */
export async function refusalAnswer(
  site: Site,
  exchange: Exchange,
  refused: { readonly refusal: Refusal; readonly body?: RequestBody | undefined },
): Promise<Response> {
  const { refusal, body } = refused
  const told = { status_code: refusal.status ?? STATUS_OF[refusal.code], body: refusal.message }
  const mapped = await mapByUser(site, exchange, told)
  const status = mapped?.status_code ?? told.status_code
  const json = mapped?.body ?? JSON.stringify({ error: { code: refusal.code, message: refusal.message } })
  const answer = { status, json, headers: refusal.headers }
  if (exchange.req.method === 'HEAD') return emptyAnswer(site, exchange, status, refusal.headers)
  if (!body || body.isComplete()) return jsonAnswer(site, exchange, answer)
  const whole = jsonAnswer(site, exchange, { ...answer, headers: { ...refusal.headers, Connection: 'close' } })
  return new Response(closingStream(json, body), { status, headers: whole.headers })
}

/** A refusal as @tus/server takes it. */
export interface TusError {
  readonly status_code: number
  readonly body: string
}

/** The user's own mapping of errors, as for @tus/server's. */
async function mapByUser(
  site: Pick<Site, 'server'>,
  exchange: Exchange,
  error: TusError,
): Promise<TusError | undefined> {
  return (await site.server.options.onResponseError?.(exchange.req, error)) ?? undefined
}

/** A refusal in a line of text, of a body that is still coming and that nobody has read of. */
export async function earlyAnswer(
  site: Pick<Site, 'server'>,
  exchange: Exchange,
  refused: { readonly error: TusError; readonly body: RequestBody },
): Promise<Response> {
  const { status_code: status, body } = (await mapByUser(site, exchange, refused.error)) ?? refused.error
  const headers = new Headers(exchange.headers)
  headers.set('Connection', 'close')
  return new Response(closingStream(body ?? '', refused.body), { status, headers })
}

/** Text that is whole at once, in a stream that ends, and lets the connection close, when the drain is over. */
function closingStream(text: string, body: RequestBody): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async start(controller) {
      controller.enqueue(new TextEncoder().encode(text))
      await drain(body)
      controller.close()
    },
  })
}

async function drain(body: RequestBody): Promise<void> {
  const end = performance.now() + DRAIN_MS
  let bytes = 0
  for (;;) {
    const leftMs = end - performance.now()
    if (leftMs <= 0) return
    if (bytes >= DRAIN_BYTES) {
      // nothing more is read, but the client gets the rest of the time to see the answer
      await new Promise((resolve) => setTimeout(resolve, leftMs))
      return
    }
    const read = await body.read(leftMs)
    if (read.kind === 'bytes') bytes += read.bytes.length
    else if (read.kind !== 'changed') return
  }
}

/** What went wrong, as something that may be told. Anything unexpected is logged and told without its text. */
export function asRefusal(site: Pick<Site, 'log' | 'metrics'>, error: unknown): Refusal {
  const refusal = refusalOf(site, error)
  site.metrics.refused(refusal.code)
  return refusal
}

function refusalOf(site: Pick<Site, 'log'>, error: unknown): Refusal {
  if (error instanceof Refusal) return error
  if (isNoSpace(error)) return new Refusal('no-space', 'the disk is full: what arrived is kept', { cause: error })
  site.log.error({ err: error }, 'request failed')
  return new Refusal('internal', 'something went wrong with that request', { cause: error })
}
