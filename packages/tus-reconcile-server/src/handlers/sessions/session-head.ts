import { acknowledgedOffset, refuseEndedSession, takeTurn } from '../../groups/sessions.js'
import { emptyAnswer } from '../exchange/answer.js'
import type { Exchange, Site } from '../exchange/site.js'
import { answerSession, type SessionTarget, sessionHeaders } from './session-request.js'

/** Where a session stands. Ends its running write as a newer attempt does: never asked of a live session. */
export function headSession(
  site: Site,
  exchange: Exchange,
  ids: { group: string; session: string },
): Promise<Response> {
  const answer = async ({ group, session, header }: SessionTarget) => {
    await takeTurn(group, session, { attempt: header?.attempt, begin: () => refuseEndedSession(group, session) })
    const offset = await acknowledgedOffset(group, session)
    const length: Record<string, number> =
      session.end === null ? { 'Upload-Defer-Length': 1 } : { 'Upload-Length': session.end - session.start }
    return emptyAnswer(site, exchange, 200, {
      ...sessionHeaders(site, exchange.req, { group, session, offset }),
      ...length,
      'Upload-Concat': 'partial',
      'Cache-Control': 'no-store',
    })
  }
  return answerSession(site, exchange, { ids, answer })
}
