import type { GroupOperationRequest, PartitionHeader, ServerEvent, UploadLimit } from 'tus-reconcile-protocol'
import type { Clock } from '../orchestration/ports.js'
import type { OpenBody } from './memory-bodies.js'
import { MemoryBodies } from './memory-bodies.js'
import { MemoryEvents } from './memory-events.js'
import type { GroupFacts, GroupHost } from './memory-group.js'
import { MemoryGroup } from './memory-group.js'
import { carryOut } from './memory-operations.js'
import { MemoryPeers } from './memory-peers.js'
import { CutError, Refusal } from './memory-refusal.js'
import type { MemorySession } from './memory-session.js'

/** What is due while the server is down, or while it commits, is looked at again after this. */
const EXPIRY_AGAIN_MS = 1_000

export interface MemoryServerOptions {
  readonly id: string
  readonly clock: Clock
  /** All servers that list each other, this one included; filled by whoever makes them. */
  readonly peers: MemoryServer[]
  /** How long a group without bytes is kept (default a day). */
  readonly expireMs?: number
  /** How long the file takes to be made, in which no body is taken (default 0). */
  readonly commitMs?: number
}

/** One server with its storage in memory: docs/protocol.md, as far as our client needs it. */
export class MemoryServer {
  readonly id: string
  readonly endpoint: string
  readonly clock: Clock
  readonly events = new MemoryEvents()
  readonly groups = new Map<string, MemoryGroup>()
  /** Files that were made, by name. */
  readonly files = new Map<string, readonly Uint8Array[]>()
  readonly peers: MemoryPeers
  /** How often the finish hook ran, by file. */
  readonly finishes = new Map<string, number>()
  readonly limit: UploadLimit
  /** No process: connections are refused, and what was open is reset. */
  isDown = false
  /** Answers creations of new groups with this status; a hook that says no. */
  refusesWith: number | undefined
  /** So many of the next requests are answered 503 (with this Retry-After). */
  busyFor = 0
  readonly faults: unknown[] = []
  readonly bodies: MemoryBodies
  /** How long the file takes to be made, in which no body is taken. */
  readonly commitMs: number
  readonly #options: MemoryServerOptions
  readonly #host: GroupHost
  /** Rises with each crash: what an earlier process has begun does not go on. */
  #run = 0

  constructor(o: MemoryServerOptions, limit: UploadLimit = {}) {
    this.id = o.id
    this.endpoint = `http://${o.id}.test/files`
    this.clock = o.clock
    this.bodies = new MemoryBodies(o.clock)
    this.limit = limit
    this.commitMs = o.commitMs ?? 0
    this.#options = o
    this.peers = new MemoryPeers(this, o.peers)
    this.#host = {
      nowMs: () => o.clock.now(),
      publish: (group, event) => this.#publish(group, event),
      verifiedHere: (group) => this.peers.verifiedHere(group),
      coverageChanged: (group) => this.peers.coverageChanged(group),
    }
  }

  /** What is no refusal is a fault of this server, or of whoever led it there: kept, for tests to look at. */
  async watched<T>(act: () => T | Promise<T>): Promise<T> {
    try {
      return await act()
    } catch (error) {
      if (!(error instanceof Refusal) && !(error instanceof CutError)) this.faults.push(error)
      throw error
    }
  }

  get run(): number {
    return this.#run
  }

  /** The process ends; `losesUnrecorded`: before what nobody was told of yet was recorded. */
  crash(losesUnrecorded: boolean): void {
    this.isDown = true
    this.#run += 1
    this.bodies.crash()
    this.events.crash()
    this.peers.crash()
    for (const group of this.groups.values()) group.crash(losesUnrecorded)
  }

  restart(): void {
    this.isDown = false
    for (const group of this.groups.values()) this.peers.resume(group)
  }

  /** A creation: a new session and where its body goes, or what answers the repeat of one. @throws Refusal */
  async create(header: PartitionHeader, hasBody: boolean): Promise<OpenBody | { at: OpenBody['session'] }> {
    this.#refuseBusy()
    const group = await this.#open(header)
    const { session, created } = group.openSession(header)
    if (created) {
      group.save()
      return this.bodies.begin(group, session, { attempt: header.attempt, offset: 0 })
    }
    session.takeTurn(header.attempt)
    group.refuseEndedSession(session)
    if (hasBody) throw new Refusal(409, 'session-exists')
    group.save()
    return { at: session }
  }

  /** @throws Refusal */
  append(header: PartitionHeader, offset: number, lengthBytes: number): OpenBody {
    this.#refuseBusy()
    const { group, session } = this.find(header)
    if (session.end === group.sizeBytes && session.start + offset + lengthBytes > group.sizeBytes)
      throw new Refusal(413, 'too-large')
    return this.bodies.begin(group, session, { attempt: header.attempt, offset })
  }

  /** @throws Refusal 404 or 410 */
  find({ group: id, session: name }: { group: string; session: string }): {
    group: MemoryGroup
    session: MemorySession
  } {
    const group = this.groups.get(id)
    if (!group) throw new Refusal(404, 'unknown-group')
    this.peers.clientSeen(group)
    const gone = group.unseen.get(name)
    if (gone) throw new Refusal(410, 'session-ended', { state: gone })
    const session = group.sessions.get(name)
    if (!session) throw new Refusal(404, 'unknown-session')
    return { group, session }
  }

  /** A client's operation, relayed to the store that it is for. @throws Refusal */
  async operate(request: GroupOperationRequest): Promise<object> {
    this.#refuseBusy()
    const group = this.groups.get(request.group)
    if (group) this.peers.clientSeen(group)
    const store = this.#storeFor(request)
    return store === this.id ? this.carryOut(request) : this.peers.relay(store, request)
  }

  /** An operation, here. @throws Refusal */
  carryOut(request: GroupOperationRequest): Promise<object> {
    return carryOut(this, request)
  }

  endGroup(group: MemoryGroup, state: 'committed' | 'terminated' | 'expired'): void {
    group.end(state)
    this.peers.groupEnded(group)
  }

  /** A mirror opens the group here, at its home. @throws Refusal */
  openForMirror(header: GroupFacts, mirror: string): MemoryGroup {
    const known = this.groups.get(header.group)
    if (known) {
      known.refuseEnded()
      known.participants.add(mirror)
      return known
    }
    if (this.refusesWith !== undefined) throw new Refusal(this.refusesWith, 'refused-by-hook')
    const group = this.#addGroup(header, true)
    group.participants.add(mirror)
    return group
  }

  /** The file is there, and whoever waits for it hears of it: once. */
  make(group: MemoryGroup, blocks: readonly Uint8Array[]): void {
    this.files.set(group.id, blocks)
    group.url = `${this.endpoint}/${group.id}`
    this.finishes.set(group.id, (this.finishes.get(group.id) ?? 0) + 1)
    this.endGroup(group, 'committed')
  }

  async #open(header: PartitionHeader): Promise<MemoryGroup> {
    const known = this.groups.get(header.group)
    if (known) {
      this.peers.clientSeen(known)
      return known
    }
    if (header.home === this.id) {
      if (this.refusesWith !== undefined) throw new Refusal(this.refusesWith, 'refused-by-hook')
      return this.#addGroup(header, true)
    }
    if (this.refusesWith !== undefined) throw new Refusal(this.refusesWith, 'refused-by-hook')
    const opened = await this.peers.openAtHome(header)
    const meanwhile = this.groups.get(header.group)
    if (meanwhile) return meanwhile
    const group = this.#addGroup(header, opened)
    if (!opened) this.peers.openLater(group)
    return group
  }

  #addGroup(header: GroupFacts, opened: boolean): MemoryGroup {
    if (header.size === undefined) throw new Refusal(400, 'bad-request')
    const group = new MemoryGroup({ id: header.group, home: header.home, sizeBytes: header.size, opened }, this.#host)
    this.groups.set(header.group, group)
    this.#expireLater(group, this.#options.expireMs ?? 86_400_000)
    return group
  }

  #expireLater(group: MemoryGroup, expireMs: number): void {
    const leftMs = group.touchedMs + expireMs - this.clock.now()
    this.clock.after(leftMs > 0 ? leftMs : EXPIRY_AGAIN_MS, () => {
      if (group.hasEnded) return
      const isDue = this.clock.now() >= group.touchedMs + expireMs
      if (isDue && !this.isDown && group.state !== 'committing') this.endGroup(group, 'expired')
      else this.#expireLater(group, expireMs)
    })
  }

  #storeFor(request: GroupOperationRequest): string {
    const group = this.groups.get(request.group)
    const home = group?.home ?? request.home
    if (request.op === 'commit' || request.op === 'terminate') return home
    if (request.store !== undefined) return request.store
    return request.op === 'status' && !group ? home : this.id
  }

  #refuseBusy(): void {
    if (this.busyFor <= 0) return
    this.busyFor -= 1
    throw new Refusal(503, 'overloaded', { retryAfterMs: 1_000 })
  }

  #publish(group: MemoryGroup, event: ServerEvent): void {
    if (!this.isDown) this.events.publish(group.clients, event)
  }
}
