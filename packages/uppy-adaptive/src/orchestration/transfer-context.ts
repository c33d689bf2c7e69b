import type { RangeSet } from 'tus-reconcile-protocol'
import type { PartitionHistory } from '../partitioning/partition-history.js'
import type { PartitionPlan, PlannedSession, SessionId, StoreId } from '../partitioning/partition-plan.js'
import type { RankedRange } from '../partitioning/priority.js'
import type { HedgeBudget } from '../redundancy/hedge-budget.js'
import type { BlockLeaves } from './blocks/block-leaves.js'
import type { CommitPlace } from './commit/commit-place.js'
import type { BodyLimits } from './kept/body-limits.js'
import type { EventLog } from './log/event-log.js'
import type { LoggedModel } from './model/logged-model.js'
import type { ResolvedOptions } from './options.js'
import type { Clock, LoadListener, Randomness, Source } from './ports.js'
import type { ServerDirectory } from './servers/server-directory.js'
import type { SessionRunner } from './sessions/session-runner.js'
import type { SessionShare } from './sessions/session-share.js'
import type { UploadStatuses } from './sessions/upload-status.js'
import type { Rests } from './waiting/rests.js'

/** What the parts of one running transfer share. Only `Transfer` builds one. */
export interface TransferContext {
  readonly group: string
  readonly client: string
  readonly place: CommitPlace
  readonly options: ResolvedOptions
  readonly source: Source
  readonly clock: Clock
  readonly randomness: Randomness
  readonly log: EventLog
  readonly plan: PartitionPlan
  /** All of the file, first what goes first. */
  readonly order: readonly RankedRange[]
  readonly model: LoggedModel
  readonly directory: ServerDirectory
  readonly bodies: BodyLimits
  readonly rests: Rests
  /** The user wants little data sent: no copies now. */
  readonly isSavingData: () => boolean
  readonly budget: HedgeBudget
  readonly leaves: BlockLeaves
  readonly statuses: UploadStatuses
  readonly runners: Map<SessionId, SessionRunner>
  /** Of each store that had a session. */
  readonly histories: Map<StoreId, PartitionHistory>
  /** What this upload may have of the sessions of its page or process. */
  readonly share: SessionShare
  /** A store answered a small request directly, after so long. */
  noteRoundTrip(store: StoreId, roundTripMs: number): void
  /** Fires when the transfer pauses, fails or is done. */
  readonly signal: AbortSignal
  /** Bytes that the home was found to lack, though a peer was thought to have them: sent to the home itself. */
  onlyHome: RangeSet
  /** What a store has though nobody sent it is being asked for: no session begins meanwhile. */
  isSearching: boolean
  /** What the home is known to hold itself: sent there and verified, or pulled. */
  atHome: RangeSet
  /** Bytes up to `offset` (absolute) of a session are acknowledged. */
  acknowledge(session: SessionId, offset: number): void
  noteCut(session: PlannedSession, cause: string, attempt: number): void
  hasAlternative(store: StoreId): boolean
  /** Bytes were acknowledged or verified: patience starts anew. */
  noteProgress(): void
  /** Something changed that a decision may depend on: decide soon. */
  wake(): void
  fail(error: Error): void
}

/** Tells the model what a store says of its load. `session`: over whose own connection it comes (see `RiskModel.serverLoad`). */
export function hearLoad(
  { model, clock }: Pick<TransferContext, 'model' | 'clock'>,
  store: StoreId,
  session?: SessionId,
): LoadListener {
  const by = session === undefined ? {} : { session }
  return (load) => model.serverLoad({ nowMs: clock.now(), store, load, ...by })
}

/** The words by which every event names a session. */
export function nameSession(
  context: TransferContext,
  session: Pick<PlannedSession, 'session' | 'partition' | 'store'>,
): { session: SessionId; partition: string; store: StoreId; server: number } {
  const { session: id, partition, store } = session
  return { session: id, partition, store, server: context.directory.serverOf(store) }
}
