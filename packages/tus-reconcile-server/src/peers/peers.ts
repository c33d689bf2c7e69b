import type { OperationRequest, PartitionHeader } from 'tus-reconcile-protocol'
import type { Group, Metadata } from '../groups/group.js'
import type { TusRequest } from '../tus-request.js'

/** What the home says of a group that a mirror asks it to open. */
export interface HomeFacts {
  readonly fileId: string
  readonly url: string | null
  readonly maxSize: number | null
  readonly metadata: Metadata | null
}

/** A group that somebody wants to open, at its home or through a mirror. */
export interface OpenRequest {
  readonly header: PartitionHeader
  readonly metadata: Metadata | null
  readonly req: TusRequest
}

/** An answer that another store gave for the client. */
export interface RelayedAnswer {
  readonly status: number
  readonly body: string
  readonly retryAfter: string | null
}

/** The other servers, as the handlers know them. */
export interface Peers {
  /** Asks the home to open the group. `undefined` when it cannot be reached in time; throws Refusal when it refuses. */
  openAtHome(request: OpenRequest): Promise<HomeFacts | undefined>
  /**
   * A client's request of a group has passed the gate here. Where its home has still to be asked, and nobody's headers
   * are known to ask with (after a restart), these are used.
   */
  clientSeen(group: Group, req: TusRequest): void
  /** @throws Refusal when the store is on no list, or cannot be reached */
  relay(store: string, operation: OperationRequest, req: TusRequest): Promise<RelayedAnswer>
  /** A client has ended, here, what its home cannot hear of now: the home is asked when it is back. */
  terminateLater(group: Group, req: TusRequest): void
  isReachable(store: string): boolean
  /** Asks every peer that can be reached what it has verified of the group: reports may still be on their way. */
  refresh(group: Group): Promise<void>
  /** A peer has made itself known: those that are not known yet are asked again at once. */
  greetUnknown(): void
  /** Settles when the group lacks nothing that a reachable peer has, or after `ms`. */
  untilPulled(group: Group, ms: number): Promise<void>
}
