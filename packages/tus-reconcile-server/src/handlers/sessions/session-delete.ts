import { acknowledgedOffset, dropSession, refuseEndedSession } from '../../groups/sessions.js'
import { emptyAnswer } from '../exchange/answer.js'
import type { Exchange, Site } from '../exchange/site.js'
import { answerSession, type SessionTarget, sessionHeaders } from './session-request.js'

/** Ends one session. Its whole blocks stay with the group. */
export function deleteSession(
  site: Site,
  exchange: Exchange,
  ids: { group: string; session: string },
): Promise<Response> {
  const answer = async ({ group, session }: SessionTarget) => {
    refuseEndedSession(group, session)
    await dropSession(group, session.id, 'terminated')
    await group.save()
    const offset = await acknowledgedOffset(group, session)
    return emptyAnswer(site, exchange, 204, sessionHeaders(site, exchange.req, { group, session, offset }))
  }
  return answerSession(site, exchange, { ids, answer })
}
