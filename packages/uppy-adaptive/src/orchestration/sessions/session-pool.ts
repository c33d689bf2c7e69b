import type { Priority } from '../../partitioning/priority.js'

/** How much of the pool's room an upload of this priority may have, against another's (guess: twice each). */
const WEIGHT: Record<Priority, number> = { high: 4, normal: 2, bulk: 1 }
/** To one host, whatever it takes: beyond it nothing was gained (measured: twelve over three servers reach 1.5 under 1 % loss). */
const MOST_PER_HOST = 8
/** Beside bodies: claims, and whatever else is asked. */
const CONTROL_CONNECTIONS = 1

/** One upload that has sessions of the pool. */
export interface PoolMember {
  readonly priority: Priority
  /** Most sessions of this page or process that this upload's options allow. */
  readonly max: number
  /** Its sessions that have bytes to send, by the host (name and port) that they go to. */
  sessions(): ReadonlyMap<string, number>
  /** There may be room for it now. */
  onRoom(): void
}

/**
 * The sessions of all uploads of a page or process: one limit over them, shared by priority. Nothing is counted twice or
 * forgotten, as each upload says what it has.
 */
export class SessionPool {
  readonly #members = new Map<PoolMember, { isWaiting: boolean; count: number }>()

  join(member: PoolMember): void {
    this.#members.set(member, { isWaiting: false, count: 0 })
  }

  leave(member: PoolMember): void {
    this.#members.delete(member)
    this.#callWaiting()
  }

  /** How many more sessions the upload may begin at a host that takes so many connections from us at once. */
  room(member: PoolMember, o: { host: string; connections: number }): number {
    const all = [...this.#members.keys()].filter((other) => other !== member).concat(member)
    const own = totalOf(member.sessions())
    const total = sum(all, (other) => totalOf(other.sessions()))
    const atHost = sum(all, (other) => other.sessions().get(o.host) ?? 0)
    // each upload listens to its servers over a connection of its own
    const perHost = Math.max(1, Math.min(MOST_PER_HOST, o.connections - all.length - CONTROL_CONNECTIONS))
    const room = Math.min(member.max - total, perHost - atHost)
    return Math.max(0, this.#isContended(member) ? Math.min(room, shareOf(member, all) - own) : room)
  }

  /** After every decision: whether the upload was refused room that it needs, so that those with more than their share begin nothing. */
  note(member: PoolMember, isWaiting: boolean): void {
    const known = this.#members.get(member)
    if (!known) return
    const count = totalOf(member.sessions())
    const isLess = count < known.count
    known.isWaiting = isWaiting
    known.count = count
    if (isLess) this.#callWaiting(member)
  }

  #callWaiting(but?: PoolMember): void {
    for (const [member, { isWaiting }] of this.#members) if (isWaiting && member !== but) member.onRoom()
  }

  #isContended(member: PoolMember): boolean {
    return [...this.#members].some(([other, { isWaiting }]) => other !== member && isWaiting)
  }
}

/** By its weight among all, at least one. */
function shareOf(member: PoolMember, all: readonly PoolMember[]): number {
  const weights = sum(all, (other) => WEIGHT[other.priority])
  return Math.max(1, Math.floor((member.max * WEIGHT[member.priority]) / weights))
}

function sum(members: readonly PoolMember[], of: (member: PoolMember) => number): number {
  return members.reduce((total, member) => total + of(member), 0)
}

function totalOf(sessions: ReadonlyMap<string, number>): number {
  return [...sessions.values()].reduce((sum, count) => sum + count, 0)
}
