import { readChecksum } from '../../bodies/checksum.js'
import { requestBody, sentLength } from '../../bodies/request-body.js'
import type { Group } from '../../groups/group.js'
import { Refusal } from '../../groups/refusal.js'
import type { Session } from '../../groups/session.js'
import { beginWrite } from '../../groups/sessions.js'
import { limitKeys } from '../exchange/admission.js'
import { emptyAnswer } from '../exchange/answer.js'
import type { Exchange, Site } from '../exchange/site.js'
import { refuseLongBody } from '../exchange/upload-limit.js'
import { receiveChecked } from './checked-body.js'
import {
  answerSession,
  checkBodyType,
  concludeWrite,
  numberHeader,
  type SessionTarget,
  sessionHeaders,
} from './session-request.js'

/** Appends to a session at its offset. */
export function patchSession(
  site: Site,
  exchange: Exchange,
  ids: { group: string; session: string },
): Promise<Response> {
  const { req } = exchange
  const body = requestBody(req)
  const answer = async (target: SessionTarget) => {
    const { group, session, header } = target
    const length = await sentLength(req, body, site.bounds.bodyTimeoutMs)
    checkBodyType(req, length)
    const checksum = readChecksum(req)
    const offset = numberHeader(req, 'upload-offset')
    if (offset === undefined) throw new Refusal('bad-request', 'Upload-Offset is missing')
    refuseLongBody(site, length)
    refuseBeyond(group, session, offset + (length ?? 0))
    const running = await beginWrite(group, session, {
      attempt: header?.attempt,
      offset,
      length: numberHeader(req, 'upload-length'),
    })
    const keys = limitKeys(site, req, { client: session.client, group: group.id })
    const write = { group, session, running, body, length, keys }
    const outcome = await receiveChecked(site, write, checksum)
    const stands = await concludeWrite(site, target, outcome)
    return emptyAnswer(site, exchange, 204, sessionHeaders(site, req, { ...target, offset: stands }))
  }
  return answerSession(site, exchange, { ids, body, answer })
}

/** Bytes beyond the file's end are refused before they are read; beyond the planned end they are cut off there. */
function refuseBeyond(group: Group, session: Session, upTo: number): void {
  const most = group.size ?? group.maxSize
  if (most === null || session.start + upTo <= most) return
  if (session.end !== null && session.end < most) return
  throw new Refusal('too-large', `the body goes beyond the file's ${most} bytes`, {
    headers: { 'Upload-Limit': `max-size=${most}` },
  })
}
