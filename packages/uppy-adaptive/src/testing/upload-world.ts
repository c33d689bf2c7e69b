import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect } from 'vitest'
import { KnownServers } from '../orchestration/kept/known-servers.js'
import type { LoggedEvent } from '../orchestration/log/event-log.js'
import type { PartitioningOptions, PredictorOptions } from '../orchestration/options.js'
import { resolveOptions } from '../orchestration/options.js'
import type { JournalStorage } from '../orchestration/ports.js'
import { UploadEngine } from '../orchestration/upload/upload-engine.js'
import type { UploadError } from '../orchestration/upload-error.js'
import { joinPieces, sha256Of } from './known-bytes.js'
import type { MemoryGroup } from './memory-group.js'
import { createMemoryHost } from './memory-host.js'
import { MemoryPage } from './memory-page.js'
import { MemoryPort } from './memory-port.js'
import { MemoryServer } from './memory-server.js'
import { MemorySource } from './memory-source.js'
import type { MemoryOrigin } from './memory-turns.js'
import { MachineClock, SimulatedClock } from './simulated-clock.js'
import { OrderedRandomness } from './transfer-rig.js'

/** A body whose sender was cut off in the dark is ended by its server after two minutes. */
const SETTLED_MS = 125_000

/** One file, its servers in memory, and a clock in the test's hand. The first server is the home. */
export class UploadWorld {
  readonly clock: SimulatedClock
  /** The client's own. */
  readonly machine: MachineClock
  readonly randomness: OrderedRandomness
  readonly source: MemorySource
  readonly servers: MemoryServer[]
  readonly ports: MemoryPort[]
  readonly events: LoggedEvent[] = []
  readonly engine: UploadEngine
  readonly page = new MemoryPage()
  readonly #shared: ReturnType<MemoryOrigin['open']> | undefined
  /** What its servers are remembered for. */
  readonly known: KnownServers

  constructor(
    o: {
      stores?: number
      blocks?: number
      giveUpAfter?: number
      memory?: JournalStorage
      journal?: JournalStorage
      origin?: MemoryOrigin
      /** A world whose servers and file this client has, too: another page, or the same one after a reload. */
      on?: UploadWorld
      predictor?: PredictorOptions
      partitioning?: PartitioningOptions
    } = {},
  ) {
    this.clock = o.on?.clock ?? new SimulatedClock()
    this.machine = new MachineClock(this.clock)
    this.randomness = o.on?.randomness ?? new OrderedRandomness()
    this.source = o.on?.source ?? new MemorySource((o.blocks ?? 40) * BLOCK_SIZE)
    this.servers = o.on?.servers ?? []
    for (let i = this.servers.length; i < (o.stores ?? 1); i++)
      this.servers.push(new MemoryServer({ id: `s${i}`, clock: this.clock, peers: this.servers }))
    this.#shared = o.origin?.open()
    this.ports = this.servers.map((server) => new MemoryPort(server, this.machine))
    const [endpoint = '', ...mirrors] = this.ports.map((port) => port.endpoint)
    const { giveUpAfter = 600, predictor = {}, partitioning = {} } = o
    const options = resolveOptions({ endpoint, mirrors, giveUpAfter, predictor, partitioning })
    this.known = new KnownServers(this.machine)
    const host = createMemoryHost({
      servers: this.known,
      ...{ clock: this.machine, randomness: this.randomness, journal: o.journal, ports: this.ports },
      memory: o.memory,
      page: this.page,
      turns: this.#shared?.turns,
      openSource: async () => this.source,
    })
    this.engine = new UploadEngine(host, options)
    this.engine.on('event', (event) => this.events.push(event))
  }

  /** The page is gone, in the middle of whatever it does. */
  vanish(): void {
    this.machine.kill()
    this.#shared?.gone()
    for (const port of this.ports) port.vanish()
  }

  get home(): MemoryServer {
    const [home] = this.servers
    if (!home) throw new Error('no server')
    return home
  }

  /** The newest group at the home. */
  get group(): MemoryGroup | undefined {
    return [...this.home.groups.values()].at(-1)
  }

  get receivedBytes(): number {
    return this.servers.reduce((sum, server) => sum + server.bodies.receivedBytes, 0)
  }

  expectWhole(): void {
    expect(this.group?.state).toBe('committed')
    const file = this.home.files.get(this.group?.id ?? '') ?? []
    expect(sha256Of(joinPieces(file))).toEqual(sha256Of(this.source.bytes))
    expect([...this.home.finishes.values()]).toEqual([1])
  }

  /** Nothing of the client waits, nothing is open, and no server takes a body. */
  async expectQuiet(): Promise<void> {
    await this.clock.run(0)
    expect(this.machine.timers).toBe(0)
    expect(this.ports.map((port) => [port.inFlight, port.sending, port.streams])).toEqual(
      this.ports.map(() => [0, 0, 0]),
    )
    expect(this.source.isClosed).toBe(true)
    await this.clock.run(SETTLED_MS)
    expect(this.servers.map((server) => [server.bodies.size, server.events.streams])).toEqual(
      this.servers.map(() => [0, 0]),
    )
  }
}

/** What a start comes to, without an unhandled rejection meanwhile. */
export function outcomeOf(started: Promise<unknown>): Promise<unknown> {
  return started.catch((error: UploadError) => error.code)
}
