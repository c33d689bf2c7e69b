import { EVENTS, Metadata } from '@tus/utils'
import { BLOCK_SIZE, HEADER } from 'tus-reconcile-protocol'
import { requestBody } from '../bodies/request-body.js'
import type { Group } from '../groups/group.js'
import { Refusal } from '../groups/refusal.js'
import { refuseEnded } from '../groups/refuse-ended.js'
import { isPartialId } from '../plain/partial-uploads.js'
import { asRefusal, emptyAnswer, jsonAnswer, refusalAnswer } from './exchange/answer.js'
import { emitEvent, runIncoming } from './exchange/hooks.js'
import { reprDigestOf } from './exchange/repr-digest.js'
import type { Exchange, Site } from './exchange/site.js'
import { terminateHere } from './operations/op-terminate.js'
import { relayOr } from './operations/operations.js'

/** HEAD of a file that is not whole yet: how far it is verified from its beginning. */
export async function headFile(site: Site, exchange: Exchange, group: Group): Promise<Response> {
  try {
    await runIncoming(site, exchange.req, group.fileId)
    refuseEnded(group)
    const first = group.blocks.verifiedAnywhere(group.knownSize)[0]
    const length: Record<string, number> =
      group.size === null ? { 'Upload-Defer-Length': 1 } : { 'Upload-Length': group.size }
    return emptyAnswer(site, exchange, 200, {
      ...length,
      'Upload-Offset': first?.start === 0 ? Math.min(first.end, group.size ?? first.end - (first.end % BLOCK_SIZE)) : 0,
      [HEADER.state]: group.state,
      'Cache-Control': 'no-store',
    })
  } catch (error) {
    return refusalAnswer(site, exchange, { refusal: asRefusal(site, error) })
  }
}

/** HEAD of a finished upload. @tus/server's own takes it for expired when it is old. `undefined`: not finished. */
export async function headFinished(site: Site, exchange: Exchange, id: string): Promise<Response | undefined> {
  const found = await site.plain.find(id).catch(() => undefined)
  if (!found || found.upload.offset !== found.upload.size) return undefined
  const { upload } = found
  try {
    await runIncoming(site, exchange.req, id)
    const metadata = upload.metadata && Object.keys(upload.metadata).length > 0 ? upload.metadata : undefined
    return emptyAnswer(site, exchange, 200, {
      'Upload-Offset': upload.offset,
      'Upload-Length': upload.size,
      'Upload-Concat': isPartialId(id) ? 'partial' : found.concat,
      'Upload-Metadata': metadata && Metadata.stringify(metadata),
      ...reprDigestOf(site, upload),
      'Cache-Control': 'no-store',
    })
  } catch (error) {
    return refusalAnswer(site, exchange, { refusal: asRefusal(site, error) })
  }
}

/** A file that arrives in partitions takes no bytes at its own URL. */
export async function patchFile(site: Site, exchange: Exchange, group: Group): Promise<Response> {
  const body = requestBody(exchange.req)
  try {
    await runIncoming(site, exchange.req, group.fileId)
    refuseEnded(group)
    throw new Refusal('bad-request', 'this file arrives in partitions: PATCH its sessions')
  } catch (error) {
    return refusalAnswer(site, exchange, { refusal: asRefusal(site, error), body })
  }
}

/** DELETE of a file that is not whole: its whole group ends, everywhere. */
export async function deleteFile(site: Site, exchange: Exchange, group: Group): Promise<Response> {
  const { req } = exchange
  try {
    await runIncoming(site, req, group.fileId)
    refuseEnded(group)
    if (group.home === site.storeId) await terminateHere(group)
    else {
      const operation = { op: 'terminate', group: group.id, home: group.home } as const
      const result = await relayOr(site, { store: group.home, operation, req })
      if (result.status >= 400) return jsonAnswer(site, exchange, result)
    }
    const reply = emptyAnswer(site, exchange, 204)
    emitEvent(site, EVENTS.POST_TERMINATE, [req, reply, group.fileId])
    return reply
  } catch (error) {
    return refusalAnswer(site, exchange, { refusal: asRefusal(site, error) })
  }
}
