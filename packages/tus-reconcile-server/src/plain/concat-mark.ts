import type { Metadata } from '@tus/utils'
import { Refusal } from '../groups/refusal.js'
import type { TusRequest } from '../tus-request.js'

type Values = ReturnType<typeof Metadata.parse>

/**
 * Where a final upload keeps its `Upload-Concat`: among its metadata, which every datastore keeps. No client may send
 * this key, and none is shown it.
 */
const MARK = 'tus-upload-concat'

/** @throws Refusal when a client uses the key that is ours */
export function refuseMark(req: TusRequest): void {
  const pairs = (req.headers.get('upload-metadata') ?? '').split(',')
  if (!pairs.some((pair) => pair.trim().split(' ')[0] === MARK)) return
  throw new Refusal('bad-request', `Upload-Metadata: ${MARK} is a key of the server's own`)
}

export function withMark(metadata: Values | undefined, concat: string): Values {
  return { ...metadata, [MARK]: concat }
}

/** What the client gave, and the `Upload-Concat` of a final upload. */
export function splitMark(metadata: Values | undefined): { metadata: Values | undefined; concat: string | undefined } {
  if (metadata?.[MARK] == null) return { metadata, concat: undefined }
  const { [MARK]: concat, ...rest } = metadata
  return { metadata: Object.keys(rest).length > 0 ? rest : undefined, concat: concat ?? undefined }
}
