import type { PlanAnswer, PlanRequest } from 'tus-reconcile-protocol'
import type { Group } from '../../groups/group.js'
import { refuseEnded } from '../../groups/refuse-ended.js'
import { acknowledgedOffset, dropSession, planEnds } from '../../groups/sessions.js'
import type { Site } from '../exchange/site.js'
import { sessionStanding } from './op-status.js'

/** Lowers ends and drops sessions, many at once. A session that is not known is left out of the answer, unless dropped. */
export async function plan(site: Site, group: Group, request: PlanRequest): Promise<PlanAnswer> {
  refuseEnded(group)
  const ends = request.changes.flatMap((change) => {
    const session = 'end' in change ? group.sessions.get(change.session) : undefined
    return session && 'end' in change ? [{ session, end: change.end }] : []
  })
  if (ends.length > 0) await planEnds(group, ends)
  for (const change of request.changes) {
    if ('end' in change) continue
    // `terminateRedundantUploads` asked for by the client, who may know more than this store
    const how = change.reason === 'superseded' ? 'superseded' : 'terminated'
    await dropSession(group, change.session, how)
    site.log.info({ group: group.id, session: change.session, reason: how }, 'session dropped')
  }
  await group.save()
  const sessions: PlanAnswer['sessions'][number][] = []
  for (const id of new Set(request.changes.map((change) => change.session))) {
    const standing = await standingOf(group, id)
    if (standing) sessions.push({ session: id, ...standing })
  }
  return { sessions }
}

async function standingOf(group: Group, id: string): Promise<ReturnType<typeof sessionStanding> | undefined> {
  const session = group.sessions.get(id)
  if (session) {
    await acknowledgedOffset(group, session)
    return sessionStanding(group, session)
  }
  const unseen = group.unseen.get(id)
  return unseen && { end: 0, offset: 0, state: unseen === 'superseded' ? 'superseded' : 'failed' }
}
