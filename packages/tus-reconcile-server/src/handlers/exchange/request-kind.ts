import { OPERATION_CONTENT_TYPE } from 'tus-reconcile-protocol'
import type { RequestKind } from '../../metrics/metrics.js'
import { PEER_CONTENT_TYPE } from '../../peers/peer-messages.js'
import type { TusRequest } from '../../tus-request.js'

const KINDS: Readonly<Record<string, RequestKind>> = {
  POST: 'create',
  PATCH: 'append',
  HEAD: 'head',
  DELETE: 'delete',
  OPTIONS: 'options',
}

export function requestKind(req: TusRequest): RequestKind {
  const type = req.method === 'POST' ? mediaType(req) : undefined
  if (type === OPERATION_CONTENT_TYPE) return 'operation'
  if (type === PEER_CONTENT_TYPE) return 'peer'
  return KINDS[req.method] ?? 'get'
}

function mediaType(req: TusRequest): string | undefined {
  return req.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
}
