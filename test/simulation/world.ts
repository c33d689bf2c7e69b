import type { LoggedEvent } from '../../packages/uppy-adaptive/src/orchestration/log/event-log.js'
import { LastMile } from '../../packages/uppy-adaptive/src/testing/last-mile.js'
import { MemoryJournal } from '../../packages/uppy-adaptive/src/testing/memory-journal.js'
import { MemoryPort } from '../../packages/uppy-adaptive/src/testing/memory-port.js'
import { MemoryServer } from '../../packages/uppy-adaptive/src/testing/memory-server.js'
import { MachineClock, SimulatedClock } from '../../packages/uppy-adaptive/src/testing/simulated-clock.js'
import { Chance } from './chance.js'
import { Client } from './client.js'
import type { Coverage } from './coverage.js'
import { FaultSwitch } from './fault-switch.js'
import type { Scenario } from './scenario.js'

/** What happens is told to whoever checks it or writes it down. */
export interface Observer {
  onEvent(client: Client, event: LoggedEvent): void
  onFault(what: string): void
}

/** Servers, links and clients of one run, and what goes wrong among them. The first client is whoever uploads now. */
export class World {
  readonly scenario: Scenario
  readonly clock = new SimulatedClock()
  readonly servers: MemoryServer[] = []
  readonly lastMile: LastMile
  readonly clients: Client[] = []
  readonly coverage: Coverage
  readonly chance: Chance
  readonly faults: FaultSwitch
  readonly #observer: Observer
  readonly #journal = new MemoryJournal()

  constructor(scenario: Scenario, coverage: Coverage, observer: Observer) {
    this.scenario = scenario
    this.coverage = coverage
    this.#observer = observer
    this.chance = new Chance(`world ${scenario.seed}`)
    this.lastMile = new LastMile(scenario.lastMileBytesPerSecond)
    this.lastMile.queueBytes = (scenario.lastMileBytesPerSecond * (scenario.lastMileQueueMs ?? 0)) / 1000
    for (let i = 0; i < scenario.servers; i++) this.servers.push(this.#createServer(i))
    this.faults = new FaultSwitch(this)
    for (const fault of scenario.faults) {
      this.clock.after(fault.atMs, () => observer.onFault(this.faults.begin(fault)))
      // counted from the beginning of the world, as the time is by which all have ended
      this.clock.after(fault.atMs + fault.forMs, () => observer.onFault(this.faults.end(fault)))
    }
    this.addClient()
  }

  /** The client that its user looks at. */
  get client(): Client {
    const client = this.clients.find(({ isGone }) => !isGone) ?? this.clients[0]
    if (!client) throw new Error('no client')
    return client
  }

  get home(): MemoryServer {
    const [home] = this.servers
    if (!home) throw new Error('no server')
    return home
  }

  /** One more client of the file, with the journal of the others. It has been started. */
  addClient(): Client {
    const name = `c${this.clients.length}`
    const clock = new MachineClock(this.clock)
    const ports = this.scenario.routes.map((_, route) => this.#createPort(route, clock))
    const chance = new Chance(`${name} ${this.scenario.seed}`)
    const client = new Client({
      ...{ name, scenario: this.scenario, clock, ports, chance, journal: this.#journal },
      onEvent: (who, event) => this.#observer.onEvent(who, event),
    })
    this.clients.push(client)
    this.faults.refresh()
    client.start()
    return client
  }

  #createServer(i: number): MemoryServer {
    const { peerDelayMs, expireMs, commitMs } = this.scenario
    const server = new MemoryServer({ id: `s${i}`, clock: this.clock, peers: this.servers, expireMs, commitMs })
    server.peers.lines.delayMs = peerDelayMs
    return server
  }

  #createPort(route: number, clock: MachineClock): MemoryPort {
    const plan = this.scenario.routes[route]
    const server = plan && this.servers[plan.server]
    if (!server) throw new Error(`route ${route} leads nowhere`)
    const endpoint = `http://${server.id}-${route}.test/files`
    const port = new MemoryPort(server, clock, { endpoint, lastMile: this.lastMile })
    port.onMishap = (mishap) => this.coverage.count(`path ${mishap}`)
    port.delayMs = plan.delayMs
    port.upBytesPerSecond = plan.upBytesPerSecond
    port.connectionBytesPerSecond = plan.connectionBytesPerSecond ?? Number.POSITIVE_INFINITY
    return port
  }
}
