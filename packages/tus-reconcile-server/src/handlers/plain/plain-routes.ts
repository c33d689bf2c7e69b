import { announcedLength } from '../../bodies/request-body.js'
import { refuseMark } from '../../plain/concat-mark.js'
import { isPartialId } from '../../plain/partial-uploads.js'
import type { Exchange, PlainSite } from '../exchange/site.js'
import { STATUS_OF } from '../exchange/statuses.js'
import { createFinal } from './final-upload.js'
import { writePlain } from './plain-write.js'

/** @tus/server's own handler of the same request. */
export type Original = () => Promise<Response>

/** A creation of an upload that is a file, a part of one, or made of parts. */
export async function routePlainPost(site: PlainSite, exchange: Exchange, original: Original): Promise<Response> {
  const { req, context, headers } = exchange
  refuseMark(req)
  const concat = req.headers.get('upload-concat')
  if (concat === null) return writePlain(site, exchange, original)
  if (concat !== 'partial') return createFinal(site, exchange, concat)
  const { POST } = site.partials.handlers
  return writePlain(site, exchange, async () => asResponse(await POST.send(req, context, headers)))
}

/** A request to an upload that exists. */
export async function routePlainUpload(
  site: PlainSite,
  exchange: Exchange,
  upload: { readonly id: string | undefined; readonly original: Original },
): Promise<Response> {
  const { req } = exchange
  const send = isPartialId(upload.id) ? () => sendToPartials(site, exchange) : upload.original
  if (req.method === 'PATCH') return asCut(exchange, await writePlain(site, exchange, send))
  const reply = await send()
  const concat = req.method === 'HEAD' && upload.id !== undefined ? await concatOf(site, upload.id) : undefined
  if (concat !== undefined) reply.headers.set('Upload-Concat', concat)
  return reply
}

/**
 * A PATCH whose body was cut for another request: what arrived is kept, and an answer that comes before a body's end
 * is never 2xx.
 */
function asCut({ req, context }: Exchange, reply: Response): Response {
  const length = announcedLength(req)
  const from = Number(req.headers.get('upload-offset'))
  const isWhole =
    length === undefined
      ? req.runtime?.node?.req.complete !== false
      : Number(reply.headers.get('upload-offset')) === from + length
  if (!context.signal.aborted || isWhole) return reply
  const headers = new Headers(reply.headers)
  headers.set('Connection', 'close')
  return new Response('another request took over\n', { status: STATUS_OF.replaced, headers })
}

/** What HEAD says as `Upload-Concat`. */
async function concatOf(site: PlainSite, id: string): Promise<string | undefined> {
  return isPartialId(id) ? 'partial' : (await site.plain.find(id)).concat
}

async function sendToPartials(site: PlainSite, exchange: Exchange): Promise<Response> {
  const { req, context, headers } = exchange
  const { PATCH, HEAD, DELETE } = site.partials.handlers
  const handler = req.method === 'PATCH' ? PATCH : req.method === 'HEAD' ? HEAD : DELETE
  return asResponse(await handler.send(req, context, headers))
}

/** @tus/server's types say Response in two ways that do not agree. */
export function asResponse(answer: unknown): Response {
  if (answer instanceof Response) return answer
  throw new TypeError('a handler of @tus/server answered with something else than a Response')
}
