import type { GroupOperationRequest, RangeSet } from 'tus-reconcile-protocol'
import { BLOCK_SIZE, coversRange } from 'tus-reconcile-protocol'
import { leafOf } from './known-bytes.js'
import { MemoryCourier } from './memory-courier.js'
import type { GroupFacts, MemoryGroup } from './memory-group.js'
import { MemoryPeerLines } from './memory-peer-lines.js'
import { hearCoverage, hearReport, hearWithdrawal, takePulled } from './memory-peer-news.js'
import { Refusal } from './memory-refusal.js'
import type { MemoryServer } from './memory-server.js'

/** A read of a peer brings so many blocks at most. */
const PULL_BLOCKS = 16
/** Between servers (guess: a good line). */
const PEER_BYTES_PER_SECOND = 25_000_000
const POLL_MS = 25

/** What one server says to the others that list it (docs/protocol.md, section 11). */
export class MemoryPeers {
  readonly lines: MemoryPeerLines
  readonly #server: MemoryServer
  readonly #couriers = new Map<string, MemoryCourier>()
  /** At a mirror, by group: blocks that the home knows of. */
  readonly #reported = new Map<MemoryGroup, Set<number>>()
  /** At the home: `group store` that has not heard of the newest coverage. */
  readonly #stale = new Set<string>()
  /** At a mirror: groups to be ended at their home when it is back. */
  readonly #terminations = new Set<MemoryGroup>()

  constructor(server: MemoryServer, all: readonly MemoryServer[]) {
    this.#server = server
    this.lines = new MemoryPeerLines(server, all)
  }

  /** Whether the home has consented; false where it cannot be asked now. @throws its refusal */
  async openAtHome(facts: GroupFacts): Promise<boolean> {
    if (!this.lines.isListed(facts.home)) throw new Refusal(404, 'unknown-store')
    try {
      await this.lines.call(facts.home, (home) => home.openForMirror(facts, this.#server.id))
      return true
    } catch (error) {
      if (error instanceof Refusal && error.status > 0) throw error
      return false
    }
  }

  /** The home was away: it is asked until it answers. A refusal ends what was taken. */
  openLater(group: MemoryGroup): void {
    this.#courier(group, 'open', () => {
      if (group.hasEnded || group.opened) return undefined
      return this.openAtHome({ group: group.id, home: group.home, size: group.sizeBytes }).then(
        (isOpen) => {
          group.opened = isOpen
          if (!isOpen) return false
          this.#reported.delete(group)
          this.verifiedHere(group)
          return true
        },
        () => {
          this.#server.endGroup(group, 'terminated')
          return true
        },
      )
    }).wake()
  }

  /** A request of the group's client brings what the home is asked with, which no crash leaves (ADR 3). */
  clientSeen(group: MemoryGroup): void {
    if (group.home !== this.#server.id && !group.opened && !group.hasEnded) this.openLater(group)
  }

  /** A mirror tells the home what it has verified, until it knows. */
  verifiedHere(group: MemoryGroup): void {
    if (group.home === this.#server.id) return
    this.#courier(group, 'report', () => this.#report(group)).wake()
  }

  /** The home tells everybody who takes part what is verified, and fetches what it lacks. */
  coverageChanged(group: MemoryGroup): void {
    if (group.home !== this.#server.id) return
    for (const store of group.participants) {
      this.#stale.add(`${group.id} ${store}`)
      this.#courier(group, `tell ${store}`, () => this.#tell(group, store)).wake()
      this.#courier(group, `pull ${store}`, () => this.#pull(group, store)).wake()
    }
  }

  groupEnded(group: MemoryGroup): void {
    for (const store of group.toTell) this.#courier(group, `tell ${store}`, () => this.#tell(group, store)).wake()
  }

  /** After a restart: what may not have been said is said. */
  resume(group: MemoryGroup): void {
    this.groupEnded(group)
    if (group.hasEnded) return
    this.verifiedHere(group)
    this.coverageChanged(group)
  }

  /** At the home: what is said to be there and cannot be had is not counted upon. */
  withdraw(group: MemoryGroup, ranges: RangeSet): void {
    for (const [store, leaves] of group.blocks.reports.byStore) {
      const lost = [...leaves.keys()].filter((index) =>
        coversRange(ranges, { start: index * BLOCK_SIZE, end: index * BLOCK_SIZE + 1 }),
      )
      hearWithdrawal(group, store, lost)
    }
  }

  /** Asks every peer that can be reached what it has verified: reports may still be on their way, or were withdrawn. */
  async refresh(group: MemoryGroup): Promise<void> {
    await Promise.all(
      this.lines.others.map((id) =>
        this.lines.tried(id, (peer) => {
          const there = peer.groups.get(group.id)
          const leaves = there && !there.hasEnded ? there.blocks.verifiedLeaves() : new Map<number, string>()
          if (leaves.size === 0) return
          group.participants.add(id)
          hearReport(group, id, leaves)
        }),
      ),
    )
  }

  /** Settles when nothing is left to fetch, or after `ms`. */
  async untilPulled(group: MemoryGroup, ms: number): Promise<void> {
    const { clock } = this.#server
    const untilMs = clock.now() + ms
    const isLeft = () => [...group.blocks.reports.byStore.keys()].some((store) => this.#wanted(group, store).length > 0)
    while (!group.hasEnded && isLeft() && clock.now() < untilMs) await this.lines.pause(POLL_MS)
  }

  /** @throws Refusal of the store, or that it cannot be reached */
  async relay(store: string, request: GroupOperationRequest): Promise<object> {
    if (!this.lines.isListed(store)) throw new Refusal(404, 'unknown-store')
    try {
      return await this.lines.call(store, (peer) => peer.carryOut(request))
    } catch (error) {
      if (error instanceof Refusal && error.status > 0) throw error
      return this.#answerFor(request)
    }
  }

  crash(): void {
    for (const courier of this.#couriers.values()) courier.stop()
    this.#couriers.clear()
    this.#reported.clear()
    this.#terminations.clear()
    this.lines.crash()
  }

  /** The store is away: what is known here must do, for what has ended. */
  #answerFor(request: GroupOperationRequest): Promise<object> {
    const group = this.#server.groups.get(request.group)
    const isAway = new Refusal(503, 'unreachable-store', { retryAfterMs: 1_000 })
    if (!group) throw isAway
    if (group.hasEnded && request.op !== 'terminate') return this.#server.carryOut(request)
    if (request.op !== 'terminate') throw isAway
    this.#terminations.add(group)
    group.toTell.add(group.home)
    if (!group.hasEnded) this.#server.endGroup(group, 'terminated')
    group.toTell.add(group.home)
    this.groupEnded(group)
    return Promise.resolve({ state: 'terminated' })
  }

  #report(group: MemoryGroup): Promise<boolean> | undefined {
    const known = this.#reported.get(group) ?? new Set()
    this.#reported.set(group, known)
    const fresh = new Map([...group.blocks.verifiedLeaves()].filter(([index]) => !known.has(index)))
    if (group.hasEnded || !group.opened || fresh.size === 0) return undefined
    return this.lines.tried(group.home, (home) => {
      const there = home.groups.get(group.id)
      if (!there || there.hasEnded) {
        if (there) this.#endAs(group, there)
        // the home has lost the group, or never heard of it
        else group.opened = false
        return
      }
      there.participants.add(this.#server.id)
      for (const index of fresh.keys()) known.add(index)
      hearReport(there, this.#server.id, fresh)
    })
  }

  #endAs(group: MemoryGroup, there: MemoryGroup): void {
    if (there.state === 'open' || there.state === 'committing') return
    group.url = there.url
    this.#server.endGroup(group, there.state)
  }

  #tell(group: MemoryGroup, store: string): Promise<boolean> | undefined {
    const key = `${group.id} ${store}`
    if (group.hasEnded) {
      if (!group.toTell.has(store)) return undefined
      return this.lines.tried(store, (peer) => {
        group.toTell.delete(store)
        this.#tellEnd(group, peer)
      })
    }
    if (!this.#stale.delete(key)) return undefined
    const verified = group.blocks.verifiedAnywhere
    return this.lines
      .tried(store, (peer) => {
        const there = peer.groups.get(group.id)
        if (there) hearCoverage(there, verified)
      })
      .then((isDone) => {
        if (!isDone) this.#stale.add(key)
        return isDone
      })
  }

  #tellEnd(group: MemoryGroup, peer: MemoryServer): void {
    const there = peer.groups.get(group.id)
    if (!there || there.hasEnded) return
    if (peer.id !== group.home) there.url = group.url
    else if (!this.#terminations.delete(group)) return
    if (group.state === 'committed' || group.state === 'terminated' || group.state === 'expired')
      peer.endGroup(there, group.state)
  }

  #wanted(group: MemoryGroup, store: string): number[] {
    const leaves = group.blocks.reports.byStore.get(store) ?? new Map<number, string>()
    return [...leaves.keys()].filter((index) => !group.blocks.isVerified(index))
  }

  #pull(group: MemoryGroup, store: string): Promise<boolean> | undefined {
    const wanted = this.#wanted(group, store).slice(0, PULL_BLOCKS)
    if (group.hasEnded || wanted.length === 0) return undefined
    const ms = (wanted.length * BLOCK_SIZE * 1000) / PEER_BYTES_PER_SECOND
    return this.lines.pause(ms).then(() =>
      this.lines.tried(store, (peer) => {
        const there = peer.groups.get(group.id)
        for (const index of wanted) {
          const block = there?.blocks.get(index)
          const leaf = group.blocks.reports.byStore.get(store)?.get(index)
          if (block?.kind === 'verified' && leafOf(block.bytes) === leaf) takePulled(group, index, block.bytes)
          else if (!group.blocks.isVerified(index)) hearWithdrawal(group, store, [index])
        }
      }),
    )
  }

  #courier(group: MemoryGroup, what: string, bring: () => Promise<boolean> | undefined): MemoryCourier {
    const key = `${group.id} ${what}`
    const courier = this.#couriers.get(key) ?? new MemoryCourier(this.#server.clock, bring)
    this.#couriers.set(key, courier)
    return courier
  }
}
