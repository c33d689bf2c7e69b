import type { PartitionHeader } from 'tus-reconcile-protocol'
import { BODY_CONTENT_TYPE, HEADER, ProtocolError, parsePartitionHeader } from 'tus-reconcile-protocol'
import type { RequestBody } from '../../bodies/request-body.js'
import type { Group } from '../../groups/group.js'
import { Refusal } from '../../groups/refusal.js'
import type { Session } from '../../groups/session.js'
import { acknowledgedOffset, refuseUnseen } from '../../groups/sessions.js'
import type { TusRequest } from '../../tus-request.js'
import { asRefusal, refusalAnswer } from '../exchange/answer.js'
import { runIncoming } from '../exchange/hooks.js'
import { passGate } from '../exchange/open-group.js'
import type { Exchange, Site } from '../exchange/site.js'
import { STATUS_OF } from '../exchange/statuses.js'
import { uploadLimit } from '../exchange/upload-limit.js'
import type { WriteOutcome } from './session-write.js'

/** Where a request of a session has arrived. */
export interface SessionTarget {
  readonly group: Group
  readonly session: Session
  readonly header: PartitionHeader | undefined
}

const SESSION_ID = /^([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{22})$/

/** The ids of a session's URL, `<endpoint>/<group>.<session>`. */
export function sessionIdsOf(id: string | undefined): { group: string; session: string } | undefined {
  const match = SESSION_ID.exec(id ?? '')
  return match?.[1] && match[2] ? { group: match[1], session: match[2] } : undefined
}

/** Answers a request of a session that exists; a refusal says where the session stands. */
export async function answerSession(
  site: Site,
  exchange: Exchange,
  request: {
    readonly ids: { group: string; session: string }
    readonly body?: RequestBody
    readonly answer: (target: SessionTarget) => Promise<Response>
  },
): Promise<Response> {
  const { ids, body, answer } = request
  let at: SessionTarget | undefined
  try {
    at = await enterSession(site, exchange.req, ids)
    return await answer(at)
  } catch (error) {
    return refuseSession(site, exchange, { error, body, at })
  }
}

/** Through the user's gate, whether there is such a session or not: who is refused learns nothing. @throws Refusal */
async function enterSession(
  site: Site,
  req: TusRequest,
  ids: { group: string; session: string },
): Promise<SessionTarget> {
  const known = site.groups.get(ids.group)
  await (known ? passGate(site, req, known) : runIncoming(site, req, ''))
  const group = site.groups.get(ids.group)
  if (!group) throw new Refusal('unknown-group', 'no upload of this name is known here')
  refuseUnseen(group, ids.session)
  const session = group.sessions.get(ids.session)
  if (!session) throw new Refusal('unknown-session', 'no session of this name is known here')
  const header = readPartitionHeader(req)
  if (header && (header.group !== ids.group || header.session !== ids.session)) {
    throw new Refusal('contradiction', `${HEADER.partition} names another session than the URL`)
  }
  return { group, session, header }
}

export function readPartitionHeader(req: TusRequest): PartitionHeader | undefined {
  const text = req.headers.get(HEADER.partition)
  if (text === null) return undefined
  try {
    return parsePartitionHeader(text)
  } catch (error) {
    if (error instanceof ProtocolError) throw new Refusal('bad-request', error.message, { cause: error })
    throw error
  }
}

/** @param length of the body, where it is known. @throws Refusal unless a body is announced as tus wants it */
export function checkBodyType(req: TusRequest, length: number | undefined): void {
  if (length === 0 || req.headers.get('content-type') === BODY_CONTENT_TYPE) return
  throw new Refusal('bad-request', `a body of bytes has Content-Type: ${BODY_CONTENT_TYPE}`)
}

/** A whole number in a header that @tus/server has checked already. */
export function numberHeader(req: TusRequest, name: string): number | undefined {
  const text = req.headers.get(name)
  if (text === null) return undefined
  const number = Number(text)
  if (Number.isSafeInteger(number) && number >= 0) return number
  throw new Refusal('bad-request', `${name} is a whole number from 0`)
}

/** What every answer about a session says. */
export function sessionHeaders(
  site: Site,
  req: TusRequest,
  at: { readonly group: Group; readonly session: Session; readonly offset: number },
): Record<string, string | number | undefined> {
  const { group, session } = at
  const completed = group.statuses.get(session.id)?.status === 'completed'
  return {
    Location: site.server.handlers.POST.generateUrl(req, `${group.id}.${session.id}`),
    'Upload-Offset': at.offset,
    [HEADER.upload]: group.hasEnded && group.state !== 'committed' ? undefined : (group.url ?? undefined),
    [HEADER.state]: session.ended ?? (group.hasEnded ? group.state : completed ? 'completed' : 'inProgress'),
    [HEADER.limit]: uploadLimit(site, group.maxSize),
    'Upload-Expires': group.hasEnded ? undefined : new Date(group.touchedAt + site.expireMs).toUTCString(),
  }
}

/** Answers a refusal of a session's request: with where the session is and stands, whatever the reason. */
export async function refuseSession(
  site: Site,
  exchange: Exchange,
  refused: {
    readonly error: unknown
    readonly body?: RequestBody | undefined
    readonly at?: SessionTarget | undefined
  },
): Promise<Response> {
  const refusal = asRefusal(site, refused.error)
  const { at, body } = refused
  const status = refusal.status ?? STATUS_OF[refusal.code]
  if (at) {
    const { group, session } = at
    site.log.info({ group: group.id, session: session.id, code: refusal.code, status }, 'session request refused')
  } else site.log.info({ code: refusal.code, status }, 'request refused')
  const told = at ? sessionHeaders(site, exchange.req, { ...at, offset: await settledOffset(at) }) : {}
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries({ ...told, ...refusal.headers })) {
    if (value !== undefined) headers[name] = String(value)
  }
  const located = new Refusal(refusal.code, refusal.message, {
    headers,
    ...(refusal.status === undefined ? {} : { status: refusal.status }),
  })
  return refusalAnswer(site, exchange, { refusal: located, body })
}

/** Records what a body brought, and throws its refusal if it had one. Returns the offset that may be acknowledged. */
export async function concludeWrite(site: Site, at: SessionTarget, outcome: WriteOutcome): Promise<number> {
  const { group, session } = at
  const began = performance.now()
  const offset = await acknowledgedOffset(group, session)
  site.metrics.recorded((performance.now() - began) / 1000)
  if (outcome.kind === 'refused') throw outcome.refusal
  if (outcome.kind === 'cut') {
    site.log.info({ group: group.id, session: session.id, offset }, 'session cut')
    throw new Refusal('bad-request', 'the body broke off')
  }
  return offset
}

/** The offset as it is now, or what was recorded last when the record cannot be written. */
function settledOffset(at: SessionTarget): Promise<number> {
  return acknowledgedOffset(at.group, at.session).catch(() => at.session.acked)
}
