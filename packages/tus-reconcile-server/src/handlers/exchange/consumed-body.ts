import { hasBody } from '../../bodies/request-body.js'
import { Refusal } from '../../groups/refusal.js'
import type { TusRequest } from '../../tus-request.js'
import { refusalAnswer } from './answer.js'
import type { Exchange, Site } from './site.js'

/**
 * Middleware before this server may have read the body. Its bytes would be missing without a word, and the client would
 * send them again for ever: the answer and the log say what to change. `undefined`: the body is untouched.
 */
export async function refuseConsumedBody(site: Site, exchange: Exchange): Promise<Response | undefined> {
  if (!hasBody(exchange.req) || !isConsumed(exchange.req)) return undefined
  const refusal = new Refusal(
    'body-consumed',
    'the body was read before it came to the tus server: mount it before all body parsers, or keep them off its path',
  )
  site.log.error({ code: refusal.code }, refusal.message)
  return refusalAnswer(site, exchange, { refusal })
}

function isConsumed(req: TusRequest): boolean {
  // Node's own request where there is one: asking the other would wrap its stream
  const incoming = req.runtime?.node?.req
  return incoming ? incoming.readableDidRead : req.bodyUsed
}
