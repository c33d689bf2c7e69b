import type { ByteRange, ClaimAnswer, StatusAnswer } from 'tus-reconcile-protocol'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { CommitPlace } from '../orchestration/commit/commit-place.js'
import { BodyLimits } from '../orchestration/kept/body-limits.js'
import type { LoggedEvent } from '../orchestration/log/event-log.js'
import { LoggedModel } from '../orchestration/model/logged-model.js'
import type { UploadOptions } from '../orchestration/options.js'
import { resolveOptions } from '../orchestration/options.js'
import type { Randomness } from '../orchestration/ports.js'
import { OperationError } from '../orchestration/ports.js'
import type { Route, Store } from '../orchestration/servers/server-directory.js'
import { ServerDirectory } from '../orchestration/servers/server-directory.js'
import { SessionPool } from '../orchestration/sessions/session-pool.js'
import { TransferAssembly } from '../orchestration/transfer/transfer-assembly.js'
import type { TransferContext } from '../orchestration/transfer-context.js'
import { Rests } from '../orchestration/waiting/rests.js'
import type { PlannedSession } from '../partitioning/partition-plan.js'
import { sha256 } from './known-bytes.js'
import { unlimited } from './memory-host.js'
import { MemorySource } from './memory-source.js'
import { ScriptedPort } from './scripted-port.js'
import { SimulatedClock } from './simulated-clock.js'
import { strictLog } from './strict-log.js'

/** Ids in their order, and the middle of every interval. */
export class OrderedRandomness implements Randomness {
  #ids = 0

  id(): string {
    this.#ids += 1
    return String(this.#ids).padStart(22, '0')
  }

  uniform(): number {
    return 0.5
  }
}

/** The parts of one transfer as it builds them, with scripted addresses and a clock in the test's hand. The home is `s0`. */
export class TransferRig {
  readonly clock = new SimulatedClock()
  readonly source: MemorySource
  readonly events: LoggedEvent[]
  readonly directory: ServerDirectory
  readonly parts: TransferAssembly
  readonly context: TransferContext
  readonly #ports = new Map<string, ScriptedPort>()

  /** @param o.addresses of each store: as many stores, called `s0`, `s1`…, as the list is long (default one of one address) */
  constructor(o: { addresses?: readonly number[]; blocks?: number; options?: Omit<UploadOptions, 'endpoint'> } = {}) {
    const { clock } = this
    this.source = new MemorySource((o.blocks ?? 8) * BLOCK_SIZE)
    const { log, events } = strictLog(clock)
    this.events = events
    this.directory = new ServerDirectory(log)
    for (const [i, count] of (o.addresses ?? [1]).entries()) this.#admit(i, count)
    this.parts = new TransferAssembly({
      ...{ group: 'g'.repeat(22), client: 'c'.repeat(22), place: new CommitPlace('s0', o.options?.commitAt === 'any') },
      options: resolveOptions({ ...o.options, endpoint: 'http://s0-0.test/files' }),
      ...{ source: this.source, digester: sha256, clock, randomness: new OrderedRandomness() },
      ...{ log, directory: this.directory, model: new LoggedModel(log) },
      bodies: new BodyLimits({ clock, storage: undefined }),
      ...{ rests: new Rests(clock), isSavingData: () => false },
      sessions: { pool: new SessionPool(), connections: unlimited },
    })
    this.context = this.parts.context
  }

  /** The address `route` of a store. */
  port(store = 's0', route = 0): ScriptedPort {
    const port = this.#ports.get(`${store}-${route}`)
    if (!port) throw new Error(`${store} has no address ${route}`)
    return port
  }

  store(id = 's0'): Store {
    const store = this.directory.get(id)
    if (!store) throw new Error(`no store ${id}`)
    return store
  }

  route(store = 's0', index = 0): Route {
    const route = this.store(store).routes[index]
    if (!route) throw new Error(`${store} has no address ${index}`)
    return route
  }

  /** Begins a session of these blocks. */
  begin(o: { store?: string; first?: number; last: number }): PlannedSession {
    const range = blocks(o.first ?? 0, o.last)
    const session = this.parts.starter.begin({ store: o.store ?? 's0', range, reason: 'initial' })
    if (!session) throw new Error('not begun')
    return session
  }

  /** The events of one type, in order. */
  logged<Type extends LoggedEvent['type']>(type: Type): Extract<LoggedEvent, { type: Type }>[] {
    return this.events.filter((event): event is Extract<LoggedEvent, { type: Type }> => event.type === type)
  }

  #admit(i: number, addresses: number): void {
    const storeId = `s${i}`
    for (let route = 0; route < addresses; route++) {
      const port = new ScriptedPort(`http://${storeId}-${route}.test/files`)
      this.#ports.set(`${storeId}-${route}`, port)
      // a second address is a mirror's: the first stays in use
      this.directory.admit(port, route === 0 ? i : i + 100, {
        kind: 'reconcile',
        storeId,
        limit: {},
        extensions: [],
        commitsElsewhere: true,
      })
    }
  }
}

/** A store that holds nothing of an open group, but for what the test says. */
export function statusOf(facts: Partial<StatusAnswer> = {}): StatusAnswer {
  return { state: 'open', size: null, verified: [], stored: [], bad: [], sessions: [], url: null, ...facts }
}

/** What a store says of claims: nothing, but for what the test says. */
export function claimAnswer(facts: Partial<ClaimAnswer> = {}): ClaimAnswer {
  return { verified: [], attached: [], bad: [], superseded: [], conflict: [], ...facts }
}

/** The bytes of blocks `first` to `last - 1`. */
export function blocks(first: number, last: number): ByteRange {
  return { start: first * BLOCK_SIZE, end: last * BLOCK_SIZE }
}

/** A server's refusal of an operation. */
export function refusal(status: number, code = 'test'): () => never {
  return () => {
    throw new OperationError({ status, code, message: `refused with ${status} ${code}` })
  }
}

/** A connection that breaks. */
export function broken(): never {
  throw new Error('the connection broke')
}
