import type { OperationRequest, PartitionHeader } from 'tus-reconcile-protocol'
import type { Group } from '../groups/group.js'
import type { Metadata } from '../groups/group-facts.js'
import type { TusRequest } from '../tus-request.js'
import type { VoteAnswer } from './home-election.js'
import type { PeerMessageOf } from './peer-messages.js'

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
  /** The store that may commit the group: `candidate`, or one that may have been chosen before. @throws Refusal */
  electHome(group: Group, candidate: string): Promise<string>
  /** This server's vote on a peer's proposal. @throws Refusal */
  vote(message: PeerMessageOf<'vote'>): Promise<VoteAnswer>
  /** A majority has chosen another home: what is here is reported there, or everybody else's is fetched from here on. */
  moveHome(group: Group, home: string): Promise<void>
  isReachable(store: string): boolean
  /** Asks every peer that can be reached what it has verified of the group: reports may still be on their way. */
  refresh(group: Group): Promise<void>
  /** Looks whether the store is there, which nobody may have tried for a while. */
  greet(store: string): void
  /** A peer has made itself known: those that are not known yet are asked again at once. */
  greetUnknown(): void
  /** Settles when the group lacks nothing that a reachable peer has, or after `ms`. */
  untilPulled(group: Group, ms: number): Promise<void>
}
