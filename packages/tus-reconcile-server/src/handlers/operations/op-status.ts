import type { StatusAnswer } from 'tus-reconcile-protocol'
import type { Group } from '../../groups/group.js'
import type { Session } from '../../groups/session.js'
import { rangesIn } from '../../groups/verification.js'

/** All that is known here of a group. Offsets are the recorded ones. */
export function status(group: Group): StatusAnswer {
  const size = group.knownSize
  return {
    state: group.state,
    size: group.size,
    verified: group.blocks.verifiedAnywhere(size),
    stored: rangesIn(group, [...group.blocks.wholeBlocks(), ...group.sides.wholeBlocks()]),
    bad: group.blocks.bad(size),
    sessions: Array.from(group.sessions.values(), (session) => ({
      session: session.id,
      partition: session.partition,
      start: session.start,
      ...sessionStanding(group, session),
    })),
    url: group.state === 'committed' ? group.url : null,
  }
}

export function sessionStanding(
  group: Group,
  session: Session,
): Pick<StatusAnswer['sessions'][number], 'end' | 'offset' | 'state'> {
  return {
    end: session.end,
    offset: session.acked,
    state: group.statuses.get(session.id)?.status ?? 'failed',
  }
}
