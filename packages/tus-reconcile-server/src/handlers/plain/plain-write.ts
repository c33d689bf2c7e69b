import type { ServerOptions } from '@tus/server'
import { readChecksum } from '../../bodies/checksum.js'
import { inPlainRequest, type PlainRequest, plainRequest } from '../../plain/plain-request.js'
import type { Exchange, PlainSite } from '../exchange/site.js'

/** @tus/server's own creation or PATCH of a plain upload: all of what it means, or nothing. */
export async function writePlain(
  site: PlainSite,
  exchange: Exchange,
  original: () => Promise<Response>,
): Promise<Response> {
  const { req, context } = exchange
  const request: PlainRequest = { context, checksum: site.plain.checksBodies ? readChecksum(req) : undefined }
  try {
    return await inPlainRequest(request, original)
  } catch (error) {
    // nobody has learnt where it is
    if (request.created !== undefined) await site.plain.remove(request.created).catch(() => {})
    throw error
  }
}

/** The user's finish hook, once per upload: a PATCH of an upload that was whole before finishes nothing. */
export function finishOnce(options: ServerOptions): void {
  const finish = options.onUploadFinish
  if (!finish) return
  options.onUploadFinish = async (req, upload) => {
    const request = plainRequest()
    if (request?.wasWhole) return {}
    // whatever the hook says, the bytes are in
    if (request) request.created = undefined
    return finish(req, upload)
  }
}
