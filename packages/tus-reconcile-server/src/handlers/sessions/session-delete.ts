import { dropSession, refuseEndedSession } from '../../groups/sessions.js'
import { emptyAnswer } from '../exchange/answer.js'
import type { Exchange, Site } from '../exchange/site.js'
import { enterSession, refuseSession, type SessionTarget } from './session-request.js'

/** Ends one session. Its whole blocks stay with the group. */
export async function deleteSession(
  site: Site,
  exchange: Exchange,
  ids: { group: string; session: string },
): Promise<Response> {
  const { req } = exchange
  let at: SessionTarget | undefined
  try {
    const target = await enterSession(site, req, ids)
    at = target
    const { group, session } = target
    refuseEndedSession(group, session)
    await dropSession(group, session.id, 'terminated')
    await group.save()
    return emptyAnswer(site, exchange, 204)
  } catch (error) {
    return refuseSession(site, exchange, { error, at })
  }
}
