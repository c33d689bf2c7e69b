import type { ServerOptions } from '@tus/server'
import { readChecksum } from '../../bodies/checksum.js'
import { announcedLength } from '../../bodies/request-body.js'
import type { LimitKeys } from '../../limits/quota.js'
import {
  inPlainRequest,
  type PlainBounds,
  type PlainRequest,
  plainRequest,
  stopping,
} from '../../plain/plain-request.js'
import { plainKeys } from '../exchange/admission.js'
import type { Exchange, PlainSite } from '../exchange/site.js'
import { refuseLongBody } from '../exchange/upload-limit.js'
import { withPlainBody } from './plain-body.js'

/** @tus/server's own creation or PATCH of a plain upload: all of what it means, or nothing. */
export async function writePlain(
  site: PlainSite,
  exchange: Exchange,
  original: () => Promise<Response>,
): Promise<Response> {
  const { req, context } = exchange
  const checksum = site.plain.checksBodies ? readChecksum(req) : undefined
  const length = announcedLength(req)
  refuseLongBody(site, length)
  const keys = await plainKeys(site, req)
  const request: PlainRequest = { context, checksum, length, bounds: boundsOf(site, keys) }
  const release = length === 0 ? () => {} : site.limits.admitBody(keys)
  const closed = length === 0 ? () => {} : site.metrics.plain.bodyOpened()
  try {
    const reply = await inPlainRequest(request, () => withPlainBody(req, endsOf(site, request), original))
    if (!request.isStopped) return reply
    const offset = reply.headers.get('upload-offset')
    if (req.method === 'PATCH' && offset !== null) exchange.headers.set('Upload-Offset', offset)
    throw stopping()
  } catch (error) {
    // nobody has learnt where it is
    if (request.created !== undefined) await site.plain.remove(request.created).catch(() => {})
    throw error
  } finally {
    closed()
    release()
  }
}

function endsOf(site: PlainSite, request: PlainRequest): Parameters<typeof withPlainBody>[1] {
  const onStop = () => {
    request.isStopped = true
  }
  return { timeoutMs: site.bounds.bodyTimeoutMs, draining: site.draining, onStop }
}

function boundsOf(site: PlainSite, keys: LimitKeys): PlainBounds {
  return {
    refuseLong: (bytes) => refuseLongBody(site, bytes),
    begin: (id) => site.plainHolds.begin(id, keys),
    resume: (id, offset) => site.plainHolds.resume(id, keys, offset),
    holdStaged: () => site.limits.holdBytes(keys),
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
