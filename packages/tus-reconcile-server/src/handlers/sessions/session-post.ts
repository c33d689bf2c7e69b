import { readChecksum } from '../../bodies/checksum.js'
import { requestBody, sentLength } from '../../bodies/request-body.js'
import { Refusal } from '../../groups/refusal.js'
import { acknowledgedOffset, beginWrite, openSession, refuseEndedSession, takeTurn } from '../../groups/sessions.js'
import type { SessionAdmission } from '../../limits/limits.js'
import { admitCreation, limitKeys } from '../exchange/admission.js'
import { emptyAnswer } from '../exchange/answer.js'
import { openGroup } from '../exchange/open-group.js'
import type { Exchange, Site } from '../exchange/site.js'
import { refuseLongBody } from '../exchange/upload-limit.js'
import { receiveChecked } from './checked-body.js'
import {
  checkBodyType,
  concludeWrite,
  numberHeader,
  readPartitionHeader,
  refuseSession,
  type SessionTarget,
  sessionHeaders,
} from './session-request.js'

/** Creates the session that the client named, with as much of its bytes as come along. */
export async function postSession(site: Site, exchange: Exchange): Promise<Response> {
  const { req } = exchange
  const body = requestBody(req)
  let at: SessionTarget | undefined
  let admission: SessionAdmission | undefined
  try {
    const header = readPartitionHeader(req)
    if (!header) throw new Refusal('bad-request', 'Upload-Partition is missing')
    const bodyLength = await sentLength(req, body, site.bounds.bodyTimeoutMs)
    checkBodyType(req, bodyLength)
    const checksum = readChecksum(req)
    const length = readLength(exchange)
    refuseLongBody(site, bodyLength)
    admission = admitCreation(site, req, header)
    const group = await openGroup(site, req, header)
    const opened = await openSession(group, header, length)
    admission.settle(group, opened.session)
    const target = { group, session: opened.session, header }
    at = target
    if (!opened.created) return await answerRepeat(site, exchange, { ...target, hasBody: bodyLength !== 0 })
    const running = await beginWrite(group, opened.session, { attempt: header.attempt, offset: 0 })
    const write = { ...target, running, body, length: bodyLength, keys: limitKeys(site, req, header) }
    const saving = group.save().then(
      () => true,
      () => false,
    )
    // a body has one reader: until that has ended nothing is answered
    const outcome = await receiveChecked(site, write, checksum)
    if (!(await saving)) await group.save()
    const offset = await concludeWrite(site, target, outcome)
    return emptyAnswer(site, exchange, 201, sessionHeaders(site, req, { ...target, offset }))
  } catch (error) {
    return refuseSession(site, exchange, { error, body, at })
  } finally {
    admission?.abandon()
  }
}

/** A creation whose answer was lost: without a body it is a look-up; with one, nothing of it is taken. */
async function answerRepeat(
  site: Site,
  exchange: Exchange,
  at: SessionTarget & { readonly hasBody: boolean },
): Promise<Response> {
  const { group, session } = at
  await takeTurn(group, session, { attempt: at.header?.attempt, begin: () => refuseEndedSession(group, session) })
  const offset = await acknowledgedOffset(group, session)
  if (at.hasBody) throw new Refusal('session-exists', `this session exists and stands at ${offset}`)
  await group.save()
  return emptyAnswer(site, exchange, 200, sessionHeaders(site, exchange.req, { ...at, offset }))
}

/** Either `Upload-Length` or `Upload-Defer-Length` MUST be there (tus 1.0, creation); never both. */
function readLength(exchange: Exchange): number | undefined {
  const length = numberHeader(exchange.req, 'upload-length')
  const deferred = exchange.req.headers.get('upload-defer-length') !== null
  if ((length === undefined) === deferred) return length
  throw new Refusal('bad-request', 'either Upload-Length or Upload-Defer-Length: 1 is needed')
}
