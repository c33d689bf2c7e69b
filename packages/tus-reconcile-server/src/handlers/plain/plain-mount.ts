import type { CancellationContext } from '@tus/server'
import { ERRORS } from '@tus/utils'
import { requestBody } from '../../bodies/request-body.js'
import type { TusRequest } from '../../tus-request.js'
import { asRefusal, earlyAnswer, type TusError } from '../exchange/answer.js'
import { mountEntrance, unknownMethod } from '../exchange/entrance.js'
import type { Exchange, PlainSite } from '../exchange/site.js'
import { STATUS_OF } from '../exchange/statuses.js'
import { asResponse, type Original, routePlainPost, routePlainUpload } from './plain-routes.js'
import { finishOnce } from './plain-write.js'

/** A handler of @tus/server, as far as it is wrapped. Its own types say Response in two ways that do not agree. */
export interface Handler {
  send(req: TusRequest, context: CancellationContext, headers?: Headers): Promise<unknown>
}

/** From now on the handlers of `server` see the store through `plain`, and finish an upload once. */
export function preparePlain({ server, plain }: Pick<PlainSite, 'server' | 'plain'>): void {
  for (const handler of Object.values(server.handlers)) handler.store = plain
  finishOnce(server.options)
}

/** Concatenation, before the handlers of a server of whatever datastore. */
export function mountPlain(site: PlainSite): void {
  const { handlers } = site.server
  mountEntrance(site.server)
  preparePlain(site)
  wrap(site, handlers.POST, async (_site, exchange, original) => {
    const unknown = unknownMethod(exchange.req)
    if (unknown) throw unknown
    return routePlainPost(site, exchange, original)
  })
  for (const handler of [handlers.PATCH, handlers.HEAD, handlers.DELETE]) {
    wrap(site, handler, (_site, exchange, original) => {
      const id = handlers.PATCH.getFileIdFromRequest(exchange.req)
      return routePlainUpload(site, exchange, { id, original })
    })
  }
}

function wrap(site: PlainSite, handler: Handler, route: typeof routePlainPost): void {
  const send = handler.send.bind(handler)
  handler.send = async (req, context, headers = new Headers()) => {
    const original: Original = async () => asResponse(await send(req, context, headers))
    const exchange = { req, context, headers }
    return withoutDetails(site, exchange, () => route(site, exchange, original))
  }
}

/**
 * A refusal is told as @tus/server's own are, in a line of text. What it would print of an unexpected error may hold a
 * path: that is logged, and told without its text. A body that is still coming is not waited for.
 */
export async function withoutDetails(
  site: Pick<PlainSite, 'server' | 'log' | 'metrics'>,
  exchange: Exchange,
  route: () => Promise<Response>,
): Promise<Response> {
  try {
    return await route()
  } catch (thrown) {
    const error = tusError(site, exchange, thrown)
    const incoming = exchange.req.runtime?.node?.req
    if (!incoming || incoming.complete) throw error
    return earlyAnswer(site, exchange, { error, body: requestBody(exchange.req) })
  }
}

function tusError(site: Pick<PlainSite, 'log' | 'metrics'>, exchange: Exchange, error: unknown): TusError {
  if (isTusError(error)) return asHeld(exchange, error)
  const refusal = asRefusal(site, error)
  for (const [name, value] of Object.entries(refusal.headers)) exchange.headers.set(name, value)
  return { status_code: refusal.status ?? STATUS_OF[refusal.code], body: `${refusal.message}\n` }
}

/** A hook may leave the body out. */
function isTusError(error: unknown): error is TusError {
  return typeof error === 'object' && error !== null && 'status_code' in error
}

/** An upload that another request holds is 423, whatever locker says so, and is asked for again soon. */
function asHeld(exchange: Exchange, error: TusError): TusError {
  const isHeld = error === ERRORS.ERR_LOCK_TIMEOUT || error.status_code === 423
  if (!isHeld) return error
  exchange.headers.set('Retry-After', '1')
  return { status_code: 423, body: 'this upload is held by another request\n' }
}
