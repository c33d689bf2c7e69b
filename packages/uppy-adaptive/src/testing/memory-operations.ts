import type {
  ClaimAnswer,
  ClaimRequest,
  GroupOperationRequest,
  HaveAnswer,
  HaveRequest,
  PlanAnswer,
  PlanRequest,
  UploadState,
} from 'tus-reconcile-protocol'
import { BLOCK_SIZE, blockCount } from 'tus-reconcile-protocol'
import { commit } from './memory-commit.js'
import type { MemoryGroup } from './memory-group.js'
import { Refusal } from './memory-refusal.js'
import type { MemoryServer } from './memory-server.js'

/** An operation on a group of this server. @throws Refusal */
export async function carryOut(server: MemoryServer, request: GroupOperationRequest): Promise<object> {
  const group = server.groups.get(request.group)
  if (!group) throw new Refusal(404, 'unknown-group')
  switch (request.op) {
    case 'status':
      return group.status()
    case 'plan':
      return plan(group, request)
    case 'claim':
      return claim(group, request)
    case 'have':
      return have(group, request)
    case 'commit':
      return commit(server, group, request)
    case 'terminate':
      if (group.state !== 'terminated') {
        group.refuseEnded()
        server.endGroup(group, 'terminated')
      }
      return { state: 'terminated' }
  }
}

function plan(group: MemoryGroup, { changes }: PlanRequest): PlanAnswer {
  const { sessions, unseen } = group
  group.refuseEnded()
  for (const change of changes) {
    const session = sessions.get(change.session)
    if ('end' in change) {
      session?.lowerEnd(change.end, group.sizeBytes)
      continue
    }
    const end = change.reason === 'superseded' ? 'superseded' : 'terminated'
    if (session) group.endSession(session, end)
    else if (!unseen.has(change.session)) unseen.set(change.session, end)
  }
  group.sweep()
  group.save()
  const answers = [...new Set(changes.map(({ session }) => session))].flatMap((id) => {
    const session = sessions.get(id)
    if (session) return [{ session: id, end: session.end, offset: session.offset, state: session.status }]
    const gone = unseen.get(id)
    const state: UploadState = gone === 'superseded' ? 'superseded' : 'failed'
    return gone ? [{ session: id, end: 0, offset: 0, state }] : []
  })
  return { sessions: answers }
}

function claim(group: MemoryGroup, { claims }: ClaimRequest): ClaimAnswer {
  group.refuseEnded()
  const leaves = claims.flatMap(({ start, leaves: digests }) => {
    if (start % BLOCK_SIZE !== 0) throw new Refusal(400, 'bad-request')
    return digests.map((leaf, i) => ({ index: start / BLOCK_SIZE + i, leaf }))
  })
  if (leaves.some(({ index }) => index >= blockCount(group.sizeBytes))) throw new Refusal(400, 'bad-request')
  const by = { verified: [] as number[], already: [] as number[], bad: [] as number[], conflict: [] as number[] }
  for (const { index, leaf } of leaves) {
    const outcome = group.blocks.claim(index, leaf)
    if (outcome !== 'waiting') by[outcome].push(index)
  }
  by.verified.push(...group.blocks.attach(leaves))
  by.bad = by.bad.filter((index) => !group.blocks.isVerified(index))
  const swept = group.sweep()
  group.tell({ verified: by.verified, bad: by.bad })
  group.save()
  const ended = claims.map(({ session }) => session).filter((id) => endOf(group, id) === 'superseded')
  const verified = [...by.verified, ...by.already]
  return {
    verified: group.rangesOf(verified),
    attached: group.rangesOf(verified.filter((index) => group.blocks.isAttached(index))),
    bad: group.rangesOf(by.bad),
    superseded: [...new Set([...swept, ...ended])],
    conflict: group.rangesOf(by.conflict),
  }
}

/** Which of these blocks are verified here with that digest at that offset (P57), copies of now included (P133). */
function have(group: MemoryGroup, { blocks }: HaveRequest): HaveAnswer {
  group.refuseEnded()
  const asked = blocks
    .map(({ start, leaf }) => ({ index: start / BLOCK_SIZE, leaf }))
    .filter(({ index }) => Number.isInteger(index) && index < blockCount(group.sizeBytes))
  const copied = group.blocks.attach(asked)
  group.sweep()
  group.tell({ verified: copied, bad: [] })
  const leaves = group.blocks.verifiedLeaves()
  const there = asked.filter(({ index, leaf }) => leaves.get(index) === leaf)
  return { attached: group.rangesOf(there.map(({ index }) => index)) }
}

function endOf({ unseen, sessions }: MemoryGroup, id: string): string | undefined {
  return unseen.get(id) ?? sessions.get(id)?.ended
}
