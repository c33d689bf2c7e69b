import type { MemoryPort } from '../../packages/uppy-adaptive/src/testing/memory-port.js'
import type { MemoryServer } from '../../packages/uppy-adaptive/src/testing/memory-server.js'
import type { FaultKind, FaultPlan } from './faults.js'
import type { World } from './world.js'

/** A body of this much at least passes any proxy. */
const LEAST_BODY_LIMIT = 65_536

/** Turns faults on and off. What lasts is derived from all that is on, so that two of a kind may overlap. */
export class FaultSwitch {
  readonly #world: World
  readonly #on = new Set<FaultPlan>()
  /** Since when the user's own way is out; undefined while it is not. */
  lastMileOutSinceMs: number | undefined

  constructor(world: World) {
    this.#world = world
  }

  /** Returns what has happened, in words; nothing where nobody was there for it to happen to. */
  begin(fault: FaultPlan): string {
    const did = this.#strike(fault)
    if (did) this.#world.coverage.count(`fault ${fault.kind}`)
    this.#on.add(fault)
    this.refresh()
    return `${fault.kind} ${did ? 'begins' : 'misses'} (server ${fault.server}, route ${fault.route}, for ${Math.round(fault.forMs)} ms)`
  }

  end(fault: FaultPlan): string {
    this.#on.delete(fault)
    this.#recover(fault)
    this.refresh()
    return `${fault.kind} ends`
  }

  /** What lasts. */
  refresh(): void {
    const { lastMile, scenario, servers, clients, clock } = this.#world
    lastMile.isOut = this.#isOn('lastMileOut')
    this.lastMileOutSinceMs = lastMile.isOut ? (this.lastMileOutSinceMs ?? clock.now()) : undefined
    lastMile.upBytesPerSecond = scenario.lastMileBytesPerSecond * this.#share('lastMileSlow')
    for (const client of clients) for (const [route, port] of client.ports.entries()) this.#refreshPort(port, route)
    for (const [i, server] of servers.entries()) this.#refreshServer(server, i)
  }

  #refreshPort(port: MemoryPort, route: number): void {
    const { scenario, chance } = this.#world
    port.isSilent = this.#isOn('pathSilent', { route })
    port.holdsEvents = this.#isOn('eventsHeld', { route })
    port.eventDelayMs = this.#isOn('eventsReordered', { route }) ? () => chance.scale(1, 3_000) : () => 0
    port.upBytesPerSecond = (scenario.routes[route]?.upBytesPerSecond ?? 0) * this.#share('pathSlow', { route })
    const [told] = this.#of('bodyLimitTold', { route })
    const [untold] = this.#of('bodyLimitUntold', { route })
    const limit = told ?? untold
    port.bodyLimit = limit && { bytes: LEAST_BODY_LIMIT * (1 + limit.count), isTold: limit === told }
  }

  #refreshServer(server: MemoryServer, i: number): void {
    const isHome = i === 0
    server.refusesWith = this.#isOn(isHome ? 'homeRefuses' : 'mirrorRefuses', { server: i }) ? 403 : undefined
    server.bodies.isFull = this.#isOn(isHome ? 'homeFull' : 'mirrorFull', { server: i })
    server.peers.lines.cutFrom.clear()
    if (this.#isOn('peersCut', { server: i }))
      for (const other of this.#world.servers) if (other !== server) server.peers.lines.cutFrom.add(other.id)
    for (const [j, other] of this.#world.servers.entries())
      if (j !== i && this.#isOn('peersCut', { server: j })) server.peers.lines.cutFrom.add(other.id)
  }

  /** What happens once, at the beginning. Returns whether it met anybody. */
  #strike(fault: FaultPlan): boolean {
    const { servers, client, scenario } = this.#world
    const server = servers[fault.server]
    const ports = this.#world.clients.flatMap((each) => each.ports[fault.route] ?? [])
    const isRunning = client.outcome.kind === 'running' && !client.isGone
    switch (fault.kind) {
      case 'answersLost':
        for (const port of ports) port.losesAnswers += fault.count
        return isRunning
      case 'operationsLost':
        for (const port of ports) port.losesOperations += fault.count
        return isRunning
      case 'answersSwallowed':
        for (const port of ports) port.swallowsAnswers += fault.count
        return isRunning
      case 'requestRepeated':
        for (const port of ports) {
          port.losesAnswers += fault.count
          port.repeats += fault.count
        }
        return isRunning
      case 'eventsCut':
        for (const port of ports) port.cutStreams()
        return isRunning
      case 'bytesCorrupted':
        for (const port of ports) port.onBytes = corruptOnce(port, () => this.#world.coverage.count('path flipsByte'))
        return isRunning
      case 'serverBusy':
        if (server) server.busyFor += 3 * fault.count
        return isRunning
      case 'serverCrash':
      case 'serverCrashUnrecorded':
        if (!server || server.isDown) return false
        this.#noteCrash(server)
        server.crash(fault.kind === 'serverCrashUnrecorded')
        return isRunning
      case 'mirrorRefuses':
      case 'mirrorFull':
        return isRunning && scenario.servers > 1 && fault.server > 0
      case 'homeRefuses':
      case 'homeFull':
        return isRunning && fault.server === 0
      case 'peersCut':
        return isRunning && scenario.servers > 1
      case 'machineSleeps':
        client.clock.sleep()
        return isRunning
      case 'pageFrozen':
        client.page.sleep()
        return isRunning
      default:
        return fault.kind.startsWith('user') || fault.kind === 'secondClient' ? this.#act(fault, isRunning) : isRunning
    }
  }

  /** What users do. */
  #act({ kind }: FaultPlan, isRunning: boolean): boolean {
    const { client } = this.#world
    // nobody does anything at a machine that sleeps
    if (!isRunning || !client.clock.isAwake) return false
    switch (kind) {
      case 'userPauses':
      case 'userIsLongAway':
        void client.engine.pause()
        return true
      case 'userAborts':
        client.abort()
        return true
      case 'userCancels':
        client.isCancelled = true
        void client.engine.cancel().then(() => {
          client.isCancelSettled = true
        })
        return true
      case 'userReloads':
      case 'userVanishes':
        client.kill()
        return true
      default:
        this.#world.addClient()
        return true
    }
  }

  #recover(fault: FaultPlan): void {
    const { servers, client, clients } = this.#world
    const ports = clients.flatMap((each) => each.ports[fault.route] ?? [])
    const server = servers[fault.server]
    switch (fault.kind) {
      case 'answersLost':
      case 'operationsLost':
      case 'answersSwallowed':
      case 'requestRepeated':
        for (const port of ports) {
          port.losesAnswers = port.losesOperations = port.swallowsAnswers = port.repeats = 0
        }
        return
      case 'bytesCorrupted':
        for (const port of ports) port.onBytes = (bytes) => bytes
        return
      case 'serverBusy':
        if (server) server.busyFor = 0
        return
      case 'serverCrash':
      case 'serverCrashUnrecorded':
        if (server?.isDown && !this.#isCrashed(fault.server)) server.restart()
        return
      case 'machineSleeps':
        if (!this.#isOn('machineSleeps')) for (const each of clients) each.clock.wake()
        return
      case 'pageFrozen':
        if (!this.#isOn('pageFrozen')) for (const { page } of clients) page.wake()
        return
      case 'userPauses':
      case 'userIsLongAway':
        if (!this.#isOn('userPauses') && !this.#isOn('userIsLongAway')) void client.engine.resume()
        return
      case 'userAborts':
        if (!client.isCancelled && !client.isGone && client.outcome.kind === 'failed') client.start()
        return
      case 'userReloads':
        if (client.isGone && !client.isCancelled) this.#world.addClient()
        return
      default:
        return
    }
  }

  #noteCrash(server: MemoryServer): void {
    const { coverage } = this.#world
    for (const group of server.groups.values()) {
      const told = [...group.sessions.values()].reduce((sum, { recorded }) => sum + recorded, 0)
      if (told > 0) coverage.count('precondition a server crashes that has acknowledged bytes')
    }
  }

  #of(kind: FaultKind, at: Partial<Pick<FaultPlan, 'server' | 'route'>> = {}): FaultPlan[] {
    return [...this.#on].filter(
      (fault) =>
        fault.kind === kind &&
        (at.server === undefined || fault.server === at.server) &&
        (at.route === undefined || fault.route === at.route),
    )
  }

  #isOn(kind: FaultKind, at: Partial<Pick<FaultPlan, 'server' | 'route'>> = {}): boolean {
    return this.#of(kind, at).length > 0
  }

  #isCrashed(server: number): boolean {
    return this.#isOn('serverCrash', { server }) || this.#isOn('serverCrashUnrecorded', { server })
  }

  /** What is left of a rate. */
  #share(kind: FaultKind, at: Partial<Pick<FaultPlan, 'route'>> = {}): number {
    return this.#of(kind, at).reduce((share, fault) => share * fault.share, 1)
  }
}

/** One byte of the next piece arrives as another. */
function corruptOnce(port: MemoryPort, onFlip: () => void): MemoryPort['onBytes'] {
  return (bytes) => {
    port.onBytes = (rest) => rest
    const wrong = new Uint8Array(bytes)
    if (wrong.length > 0) wrong[0] = (wrong[0] ?? 0) ^ 1
    onFlip()
    return wrong
  }
}
