import type { PlannedSession, SessionId } from '../../partitioning/partition-plan.js'
import type { TransferContext } from '../transfer-context.js'

/** Who has sent a session's bytes as well: its partition's completed upload, or who has acknowledged most of them. Null: nobody of ours. */
export function findWinnerOver(
  { plan, statuses }: Pick<TransferContext, 'plan' | 'statuses'>,
  { session, partition, start, end }: PlannedSession,
): SessionId | null {
  const completed = statuses.ofPartition(partition).find(({ status }) => status === 'completed')
  const sent = (rival: PlannedSession) => Math.min(rival.acked, end) - Math.max(rival.start, start)
  const [best] = plan
    .sessions()
    .filter((rival) => rival.session !== session && sent(rival) > 0)
    .sort((a, b) => sent(b) - sent(a))
  return completed?.uploadID ?? best?.session ?? null
}

/**
 * The blocks are verified, and no session of the partition is known to have sent them all: the news of an offset is
 * still on its way. It is the offset of the session that was alive last.
 */
export function creditWinner(
  { plan, runners, acknowledge }: Pick<TransferContext, 'plan' | 'runners' | 'acknowledge'>,
  { partition }: PlannedSession,
): void {
  const rivals = plan.sessions().filter((other) => other.partition === partition)
  if (rivals.some((rival) => rival.acked >= rival.end)) return
  const alive = rivals.filter((rival) => plan.isCovered(rival))
  const winner = alive.sort(
    (a, b) => (runners.get(b.session)?.aliveAtMs ?? 0) - (runners.get(a.session)?.aliveAtMs ?? 0),
  )[0]
  if (winner) acknowledge(winner.session, winner.end)
}
