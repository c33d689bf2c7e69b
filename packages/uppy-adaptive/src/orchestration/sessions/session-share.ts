import type { PartitionPlan, StoreId } from '../../partitioning/partition-plan.js'
import type { Priority } from '../../partitioning/priority.js'
import type { ConnectionLimits } from '../ports.js'
import type { ServerDirectory } from '../servers/server-directory.js'
import type { PoolMember, SessionPool } from './session-pool.js'

/** What limits the sessions of all uploads of one page or process. */
export interface SessionLimits {
  readonly pool: SessionPool
  readonly connections: ConnectionLimits
}

/** One transfer's part of the sessions of its page or process. */
export class SessionShare implements PoolMember {
  readonly max: number
  readonly onRoom: () => void
  #priority: Priority
  readonly #limits: SessionLimits
  readonly #plan: PartitionPlan
  readonly #directory: ServerDirectory
  /** By endpoint: what is asked several times with every decision. */
  readonly #hosts = new Map<string, string>()

  constructor(o: {
    limits: SessionLimits
    plan: PartitionPlan
    directory: ServerDirectory
    priority: Priority
    max: number
    onRoom: () => void
  }) {
    this.#priority = o.priority
    this.max = o.max
    this.onRoom = o.onRoom
    this.#limits = o.limits
    this.#plan = o.plan
    this.#directory = o.directory
  }

  /** Of what it sends next. */
  get priority(): Priority {
    return this.#priority
  }

  join(): void {
    this.#limits.pool.join(this)
  }

  leave(): void {
    this.#limits.pool.leave(this)
  }

  /** How many more sessions may send to the store. */
  room(store: StoreId): number {
    const endpoint = this.#directory.get(store)?.route.endpoint
    if (endpoint === undefined) return 0
    const connections = this.#limits.connections.most(endpoint)
    return this.#limits.pool.room(this, { host: this.#hostOf(endpoint), connections })
  }

  isMultiplexed(store: StoreId): boolean {
    const endpoint = this.#directory.get(store)?.route.endpoint
    return endpoint !== undefined && this.#limits.connections.areMultiplexed(endpoint)
  }

  /** After every decision. @param next the priority of what no session has yet, first of what goes first */
  note(next: Priority | undefined): void {
    this.#priority = next ?? this.#priority
    this.#limits.pool.note(this, next !== undefined && this.sessions().size === 0)
  }

  sessions(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>()
    for (const { store, acked, end } of this.#plan.sessions()) {
      const endpoint = this.#directory.get(store)?.route.endpoint
      if (endpoint === undefined || acked >= end) continue
      const host = this.#hostOf(endpoint)
      counts.set(host, (counts.get(host) ?? 0) + 1)
    }
    return counts
  }

  #hostOf(endpoint: string): string {
    const host = this.#hosts.get(endpoint) ?? new URL(endpoint).host
    this.#hosts.set(endpoint, host)
    return host
  }
}
