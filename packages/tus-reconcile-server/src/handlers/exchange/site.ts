import type { CancellationContext, Server } from '@tus/server'
import type { Logger } from 'pino'
import type { WholeFiles } from '../../dedup/whole-files.js'
import type { EventHub } from '../../groups/events.js'
import type { FlatDigests } from '../../groups/flat-digests.js'
import type { Groups } from '../../groups/groups.js'
import type { Bounds } from '../../limits/bounds.js'
import type { Limits } from '../../limits/limits.js'
import type { PlainHolds } from '../../limits/plain-holds.js'
import type { LoadMonitor } from '../../load/load-monitor.js'
import type { Metrics } from '../../metrics/metrics.js'
import type { Peers } from '../../peers/peers.js'
import type { MadeFinals } from '../../plain/made-finals.js'
import type { PlainStore } from '../../plain/plain-store.js'
import type { RangeStore } from '../../store/range-store.js'
import type { TusRequest } from '../../tus-request.js'

/** One request and the headers that @tus/server has prepared for its answer. */
export interface Exchange {
  readonly req: TusRequest
  readonly headers: Headers
  readonly context: CancellationContext
}

/** Where an operation comes from: the client's own request, or a peer that relays it for a client. */
export interface OperationOrigin {
  readonly req: TusRequest
  /** For a relayed one: the public address under which the client knows this store. */
  readonly endpoint?: string
}

export interface OperationResult {
  readonly status: number
  readonly json: string
  readonly headers?: Readonly<Record<string, string>>
}

/** What plain uploads need, over any datastore. */
export interface PlainSite {
  readonly server: Server
  /** The store as @tus/server's own handlers see it. */
  readonly plain: PlainStore
  /** Takes requests of partial uploads, without the hooks of files. */
  readonly partials: Server
  readonly finals: MadeFinals
  readonly bounds: Bounds
  readonly limits: Limits
  readonly plainHolds: PlainHolds
  readonly log: Logger
  readonly metrics: Metrics
  /** Fires when no new session or body is taken any more, and plain bodies end. */
  readonly draining: AbortSignal
}

/** One mounted server and all that its handlers need. */
export interface Site extends PlainSite {
  readonly store: RangeStore
  /** Where bytes lie that are not checked yet. */
  readonly sideDirectory: string
  readonly storeId: string
  /** The tenant of a request, as the application says. */
  readonly dedupScope: ((req: TusRequest) => string | undefined | Promise<string | undefined>) | undefined
  readonly groups: Groups
  readonly hub: EventHub
  readonly flatDigests: FlatDigests
  readonly wholeFiles: WholeFiles
  readonly peers: Peers
  readonly load: LoadMonitor
  readonly expireMs: number
  /** Where files may be committed: at their home, or after a vote at any store of those that list each other. */
  readonly commitAt: 'home' | 'any'
  /** Fires when the extension closes. */
  readonly closing: AbortSignal
}
