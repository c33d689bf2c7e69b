import type { PlanAnswer, PlanRequest } from 'tus-reconcile-protocol'
import type { Group } from '../../groups/group.js'
import { refuseEnded } from '../../groups/refuse-ended.js'
import { acknowledgedOffset, dropSession, planEnd } from '../../groups/sessions.js'
import type { Site } from '../exchange/site.js'
import { sessionStanding } from './op-status.js'

/** Lowers ends and drops sessions, many at once. A session that is not known is left out of the answer, unless dropped. */
export async function plan(site: Site, group: Group, request: PlanRequest): Promise<PlanAnswer> {
  refuseEnded(group)
  const touched = new Set<string>()
  for (const change of request.changes) {
    if ('end' in change) {
      const session = group.sessions.get(change.session)
      if (!session) continue
      await planEnd(group, session, change.end)
    } else {
      // `terminateRedundantUploads` asked for by the client, who may know more than this store
      const how = change.reason === 'superseded' ? 'superseded' : 'terminated'
      const client = request.client ?? change.session
      await dropSession(group, { session: change.session, client, how })
      site.log.info({ group: group.id, session: change.session, reason: how }, 'session dropped')
    }
    touched.add(change.session)
  }
  await group.save()
  const sessions: PlanAnswer['sessions'][number][] = []
  for (const id of touched) {
    const session = group.sessions.get(id)
    if (!session) continue
    await acknowledgedOffset(group, session)
    sessions.push({ session: id, ...sessionStanding(group, session) })
  }
  return { sessions }
}
