import type { RangeSet } from 'tus-reconcile-protocol'
import { coversRange, toRangeSet } from 'tus-reconcile-protocol'
import type { LoggedEvent } from '../../packages/uppy-adaptive/src/orchestration/log/event-log.js'
import type { Client } from './client.js'
import {
  ANSWER_PATIENCE_MS,
  DEFAULT_BUDGET,
  DEFAULT_MAX_SESSIONS,
  MAX_BODY_BYTES,
  MAX_SENDING_PER_STORE,
  PAUSED_WITHIN_MS,
} from './limits.js'
import { toldBytes } from './told-bytes.js'
import type { World } from './world.js'

type EventOf<Type extends LoggedEvent['type']> = Extract<LoggedEvent, { type: Type }>

/** What must hold of one client at every moment. */
export class ClientWatch {
  readonly #world: World
  readonly #client: Client
  readonly #fail: (what: string) => void
  /** Sessions in flight, by id: their store. */
  readonly #live = new Map<string, string>()
  readonly #copies = new Set<string>()
  /** Sessions that have bytes to send: where they end. */
  readonly #unsent = new Map<string, number>()
  /** The latest, oldest first. */
  readonly #completed: { readonly store: string; readonly atMs: number }[] = []
  #reported = 0
  #isQuietDue = false
  #settledAtMs: number | undefined
  /** Since when its user's pause has been in force, with the machine awake. */
  #pausedAtMs: number | undefined

  constructor(world: World, client: Client, fail: (what: string) => void) {
    this.#world = world
    this.#client = client
    this.#fail = fail
  }

  onEvent(event: LoggedEvent): void {
    if (event.type === 'completed') this.#completed.push({ store: event.store, atMs: this.#world.clock.now() })
    if (event.type === 'paused') this.#pausedAtMs = this.#world.clock.now()
    if (event.type === 'resumed' || event.type === 'started') this.#pausedAtMs = undefined
    if (event.type === 'progress') this.#onProgress(event)
    else if (event.type === 'acked') this.#onAcked(event)
    else if (event.type === 'session') this.#onSession(event)
    else if (event.type === 'copy') this.#onCopy(event)
    else if (event.type === 'split') this.#unsent.set(event.session, event.newEnd)
    else if (['paused', 'asleep', 'started'].includes(event.type)) this.#live.clear()
    else if (['completed', 'superseded', 'failed', 'takeOver'].includes(event.type) && 'session' in event)
      this.#live.delete(event.session)
  }

  step(): void {
    this.#checkBodies()
    this.#checkPause()
    const { outcome, clock } = this.#client
    if (outcome.kind === 'running' || !clock.isAwake) {
      this.#settledAtMs = undefined
      this.#isQuietDue = true
      return
    }
    this.#settledAtMs ??= this.#world.clock.now()
    // what arrives at this very moment is thrown away at this very moment
    if (!this.#isQuietDue || this.#world.clock.now() === this.#settledAtMs) return
    this.#isQuietDue = false
    const end = outcome.kind === 'failed' && isUsersWill(outcome.code) ? outcome.code : outcome.kind
    this.#world.coverage.count(`precondition nothing is left running after ${end}`)
    this.#checkQuiet(end)
  }

  end(): void {
    const { outcome, isGone, engine } = this.#client
    if (isGone || outcome.kind !== 'done') return
    if (this.#reported !== this.#world.scenario.sizeBytes)
      this.#fail(`progress ended at ${this.#reported} of ${this.#world.scenario.sizeBytes} bytes`)
    const open = engine.uploads.filter(({ status }) => status === 'pending' || status === 'inProgress')
    if (open.length > 0) this.#fail(`${open.length} sessions are ${open[0]?.status} after success`)
  }

  #onProgress({ ackedBytes, totalBytes: total }: EventOf<'progress'>): void {
    const { servers, scenario, coverage } = this.#world
    if (ackedBytes <= this.#reported) this.#fail(`progress went from ${this.#reported} to ${ackedBytes}`)
    if (total === null || ackedBytes > total) this.#fail(`progress is ${ackedBytes} of ${total} bytes`)
    const told = toldBytes(servers, scenario.sizeBytes)
    if (ackedBytes > told) this.#fail(`progress counts ${ackedBytes} bytes of which servers have told ${told}`)
    const received = servers.reduce((sum, server) => sum + server.bodies.receivedBytes, 0)
    if (received > told) coverage.count('precondition progress while bytes came twice')
    this.#reported = ackedBytes
  }

  #onAcked({ session: id, store, offset }: EventOf<'acked'>): void {
    if (offset >= (this.#unsent.get(id) ?? Number.POSITIVE_INFINITY)) this.#unsent.delete(id)
    for (const server of this.#world.servers) {
      for (const group of server.groups.values()) {
        const session = server.id === store ? group.sessions.get(id) : undefined
        if (!session || group.hasEnded || offset <= session.start + session.recorded) continue
        // what is verified, by whomever, need not be told as an offset too
        if (!coversRange(this.#verifiedOf(group.id), { start: session.start, end: offset }))
          this.#fail(`${offset} is taken for acknowledged, ${store} has told ${session.start + session.recorded}`)
      }
    }
  }

  #verifiedOf(group: string): RangeSet {
    const known = this.#world.servers.flatMap((server) => {
      const its = server.groups.get(group)
      // of a file that is made nobody remembers its blocks
      return its?.state === 'committed' ? [{ start: 0, end: its.sizeBytes }] : (its?.blocks.verifiedAnywhere ?? [])
    })
    return toRangeSet(known)
  }

  #onSession({ session, store, kind, end }: EventOf<'session'>): void {
    this.#live.set(session, store)
    if (kind === 'copy') this.#copies.add(session)
    this.#unsent.set(session, end)
    const { maxSessions = DEFAULT_MAX_SESSIONS } = this.#world.scenario.options
    const sending = [...this.#live].filter(([id]) => this.#unsent.has(id))
    const count = sending.filter(([, other]) => other === store).length
    if (count > 1) this.#world.coverage.count('precondition a store has several sessions')
    if (sending.length === maxSessions) this.#world.coverage.count('precondition an upload has all its sessions')
    if (count > MAX_SENDING_PER_STORE) this.#fail(`${count} sessions send to ${store}`)
    if (sending.length > maxSessions) this.#fail(`${sending.length} sessions send, ${maxSessions} may`)
  }

  #onCopy(event: EventOf<'copy'>): void {
    const { redundancy = {} } = this.#world.scenario.options
    const { lastMileOutSinceMs } = this.#world.faults
    if (redundancy === false) return this.#fail('a copy, though redundancy is off')
    const { maxConcurrent = DEFAULT_BUDGET.maxConcurrent } = redundancy
    const inFlight = [...this.#live.keys()].filter((id) => this.#copies.has(id)).length
    this.#world.coverage.count('precondition a copy was begun')
    if (inFlight > maxConcurrent) this.#fail(`${inFlight} copies in flight, ${maxConcurrent} may be`)
    this.#checkBudget(event.range.end - event.range.start)
    const isServerDown = this.#world.servers.find(({ id }) => id === this.#live.get(event.of))?.isDown
    // a server that is away, too, may have been found so before
    if (lastMileOutSinceMs === undefined || isServerDown) return
    const outMs = this.#world.clock.now() - lastMileOutSinceMs
    if (event.gapMs <= outMs) this.#fail(`a copy ${outMs} ms after the user's own link went out: ${event.reason}`)
  }

  /** Bytes that copies have brought, and those that this one may. */
  #checkBudget(bytes: number): void {
    const { redundancy = {}, partitioning = {} } = this.#world.scenario.options
    const { budget = DEFAULT_BUDGET.share } = redundancy === false ? {} : redundancy
    const { initialSize = DEFAULT_BUDGET.initialSize } = partitioning
    const sent = this.#world.servers.flatMap((server) =>
      [...server.groups.values()].flatMap((group) =>
        [...group.sessions.values()].filter(({ id }) => this.#copies.has(id)).map(({ offset }) => offset),
      ),
    )
    const spent = sent.reduce((sum, each) => sum + each, 0)
    const told = toldBytes(this.#world.servers, this.#world.scenario.sizeBytes)
    const most = budget * told + 2 * initialSize
    if (spent + bytes > most) this.#fail(`copies of ${spent + bytes} bytes, ${Math.floor(most)} may be`)
  }

  /** Memory: a body of each session in flight, and no more. */
  #checkBodies(): void {
    const { ports } = this.#client
    const stores = new Map<string, number>()
    let bytes = 0
    for (const port of ports) {
      stores.set(port.server.id, (stores.get(port.server.id) ?? 0) + port.sending)
      bytes += port.sendingBytes
    }
    if (bytes > 0 && this.#world.lastMile.isOut)
      this.#world.coverage.count("precondition sessions in flight while the user's own link was out")
    const sessions = [...stores.values()].reduce((sum, each) => sum + each, 0)
    if (sessions > 1) this.#world.coverage.count('precondition two bodies at once')
    if (bytes > sessions * MAX_BODY_BYTES) this.#fail(`${bytes} bytes in ${sessions} bodies`)
    for (const [store, count] of stores)
      if (count > MAX_SENDING_PER_STORE + this.#draining(store)) this.#fail(`${count} bodies on their way to ${store}`)
  }

  /** Sessions that are completed, and whose answers may be waited for. */
  #draining(store: string): number {
    const sinceMs = this.#world.clock.now() - ANSWER_PATIENCE_MS
    while ((this.#completed[0]?.atMs ?? sinceMs) < sinceMs) this.#completed.shift()
    return this.#completed.filter((session) => session.store === store).length
  }

  /** A pause frees the network. */
  #checkPause(): void {
    const nowMs = this.#world.clock.now()
    // an abort, a cancel or another start ends it too
    if (this.#client.engine.state !== 'paused') this.#pausedAtMs = undefined
    if (this.#pausedAtMs === undefined || this.#client.isGone) return
    if (!this.#client.clock.isAwake) this.#pausedAtMs = nowMs
    if (nowMs < this.#pausedAtMs + PAUSED_WITHIN_MS) return
    this.#pausedAtMs = undefined
    this.#world.coverage.count('precondition nothing is open after a pause')
    const open = this.#openRequests()
    if (open > 0) this.#fail(`${open} requests are open ${PAUSED_WITHIN_MS} ms after a pause`)
  }

  #openRequests(): number {
    return this.#client.ports.reduce((sum, port) => sum + port.inFlight + port.sending + port.streams, 0)
  }

  #checkQuiet(after: string): void {
    const { clock, source } = this.#client
    if (clock.timers > 0) this.#fail(`${clock.timers} timers wait after ${after}`)
    const open = this.#openRequests()
    if (open > 0) this.#fail(`${open} requests are open after ${after}`)
    if (source.opened !== 0) this.#fail(`the source is open after ${after}`)
  }
}

function isUsersWill(code: string): boolean {
  return code === 'aborted' || code === 'cancelled'
}
