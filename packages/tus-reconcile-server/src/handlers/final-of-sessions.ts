import { rootHere } from '../groups/file-root.js'
import type { Group } from '../groups/group.js'
import { Refusal } from '../groups/refusal.js'
import { refuseEnded } from '../groups/refuse-ended.js'
import { agreeOnSize } from '../groups/sessions.js'
import { withMark } from '../plain/concat-mark.js'
import { emptyAnswer } from './exchange/answer.js'
import { passGate } from './exchange/open-group.js'
import type { Exchange, Site } from './exchange/site.js'
import { commit } from './operations/op-commit.js'
import { readParts } from './plain/final-parts.js'
import { sessionIdsOf } from './sessions/session-request.js'

/**
 * `Upload-Concat: final` of sessions that are one upload's: the same as `commit` with the root of what is verified
 * here. `undefined` when none of the URLs is a session's.
 * @throws Refusal
 */
export async function finalOfSessions(site: Site, exchange: Exchange, concat: string): Promise<Response | undefined> {
  const { req } = exchange
  const parts = readParts(site, req, concat).map(sessionIdsOf)
  const [first] = parts
  if (parts.every((part) => part === undefined)) return undefined
  if (!first || parts.some((part) => part?.group !== first.group)) {
    throw new Refusal('bad-request', 'Upload-Concat names uploads that are not sessions of one file')
  }
  const group = site.groups.get(first.group)
  if (!group) throw new Refusal('unknown-group', 'no upload of this name is known here')
  await passGate(site, req, group)
  const named =
    group.commit ??
    (await whatIsMeant(
      group,
      parts.map((part) => part?.session ?? ''),
    ))
  if (group.state === 'open') group.metadata = withMark(group.metadata ?? undefined, concat)
  const { size, root } = named
  const operation = { op: 'commit', group: group.id, home: group.home, size, root } as const
  const result = await commit(site, group, { operation, origin: { req } })
  if (result.status !== 200 && result.status !== 201) throw unfinished()
  return emptyAnswer(site, exchange, 201, { ...result.headers, Location: group.url })
}

/** The size and the root of the file that the sessions make when one is put after the other. */
async function whatIsMeant(group: Group, sessions: readonly string[]): Promise<{ size: number; root: string }> {
  refuseEnded(group)
  let size = 0
  for (const id of sessions) {
    const session = group.sessions.get(id)
    if (!session) throw new Refusal('unknown-session', 'no session of this name is known here')
    if (session.start !== size) throw new Refusal('bad-request', 'Upload-Concat names sessions that do not join')
    if (!group.isFull(session)) throw unfinished()
    size += session.offset
  }
  await group.queue.run(() => agreeOnSize(group, size))
  const root = await rootHere(group)
  if (root === undefined) throw unfinished()
  return { size, root }
}

function unfinished(): Refusal {
  return new Refusal('unfinished-part', 'the sessions are not finished, or not verified here: claim their blocks first')
}
