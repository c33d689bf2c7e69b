import { dropSession, refuseEndedSession } from '../../groups/sessions.js'
import { emptyAnswer } from '../exchange/answer.js'
import type { Exchange, Site } from '../exchange/site.js'
import { answerSession, type SessionTarget } from './session-request.js'

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
    return emptyAnswer(site, exchange, 204)
  }
  return answerSession(site, exchange, { ids, answer })
}
