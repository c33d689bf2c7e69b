import { totalBytes } from 'tus-reconcile-protocol'
import type { LoggedEvent } from '../../packages/uppy-adaptive/src/orchestration/log/event-log.js'
import type { MemoryServer } from '../../packages/uppy-adaptive/src/testing/memory-server.js'
import type { Client } from './client.js'
import { ClientWatch } from './client-watch.js'
import { StateCoverage } from './state-coverage.js'
import type { World } from './world.js'

/** Looks at every step whether everything of DESIGN, section 6, holds, of clients and servers. */
export class Invariants {
  readonly #world: World
  readonly #fail: (what: string) => void
  readonly #clients = new Map<Client, ClientWatch>()
  readonly #compared = new Set<string>()
  readonly #states: StateCoverage

  constructor(world: World, fail: (what: string) => void) {
    this.#world = world
    this.#fail = fail
    this.#states = new StateCoverage(world.coverage, fail)
  }

  onEvent(client: Client, event: LoggedEvent): void {
    this.#watchOf(client).onEvent(event)
    this.#states.onEvent(client, event)
  }

  /** After everything that a timer has led to. */
  step(): void {
    for (const client of this.#world.clients) this.#watchOf(client).step()
    for (const server of this.#world.servers) this.#checkServer(server)
  }

  /** Faults have ended and everybody had the time that it takes. */
  end(): void {
    const { coverage, servers } = this.#world
    for (const watch of this.#clients.values()) watch.end()
    for (const server of servers) {
      for (const group of server.groups.values()) {
        if (!group.hasEnded) this.#fail(`${server.id} still has an open group long after its expiry`)
        if (group.state === 'expired') coverage.count('precondition something was left to expiry')
        if (totalBytes(group.blocks.stored) > 0) this.#fail(`${server.id} keeps bytes of an upload that is over`)
      }
      if (server.bodies.size > 0) this.#fail(`${server.id} still takes a body`)
      if (server.events.streams > 0) this.#fail(`${server.id} still has an event stream open`)
    }
  }

  #watchOf(client: Client): ClientWatch {
    const known = this.#clients.get(client)
    if (known) return known
    const watch = new ClientWatch(this.#world, client, (what) => this.#fail(`${client.name}: ${what}`))
    this.#clients.set(client, watch)
    return watch
  }

  #checkServer(server: MemoryServer): void {
    this.#states.onServer(server)
    for (const fault of server.faults.splice(0)) this.#fail(`${server.id}: ${String(fault)}`)
    for (const [name, count] of server.finishes)
      if (count !== 1) this.#fail(`${server.id} ran the finish hook ${count} times for ${name}`)
    for (const [name, blocks] of server.files) {
      if (this.#compared.has(name)) continue
      this.#compared.add(name)
      this.#world.coverage.count('precondition a file was made')
      if (!isSame(blocks, this.#world.client.source.bytes)) this.#fail(`${server.id} made a file that differs`)
      if (server.finishes.get(name) === undefined) this.#fail(`${server.id} made a file without its finish hook`)
    }
  }
}

function isSame(blocks: readonly Uint8Array[], source: Uint8Array): boolean {
  let at = 0
  for (const block of blocks) {
    if (Buffer.compare(block, source.subarray(at, at + block.length)) !== 0) return false
    at += block.length
  }
  return at === source.length
}
