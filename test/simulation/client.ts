import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import type { LoggedEvent } from '../../packages/uppy-adaptive/src/orchestration/log/event-log.js'
import { resolveOptions } from '../../packages/uppy-adaptive/src/orchestration/options.js'
import type { JournalStorage, Source } from '../../packages/uppy-adaptive/src/orchestration/ports.js'
import { UploadEngine } from '../../packages/uppy-adaptive/src/orchestration/upload/upload-engine.js'
import { createMemoryHost } from '../../packages/uppy-adaptive/src/testing/memory-host.js'
import { MemoryPage } from '../../packages/uppy-adaptive/src/testing/memory-page.js'
import type { MemoryPort } from '../../packages/uppy-adaptive/src/testing/memory-port.js'
import type { MachineClock } from '../../packages/uppy-adaptive/src/testing/simulated-clock.js'
import type { Chance } from './chance.js'
import { library } from './content.js'
import type { Scenario } from './scenario.js'

/** How a start has ended. */
export type Outcome =
  | { readonly kind: 'running' }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly code: string }

/** One page or process that uploads the file: the engine as it is, with what it needs of the world. */
export class Client {
  readonly name: string
  readonly clock: MachineClock
  readonly ports: readonly MemoryPort[]
  readonly page = new MemoryPage()
  readonly engine: UploadEngine
  readonly source: CountedSource
  outcome: Outcome = { kind: 'running' }
  isStarted = false
  /** Cancelled by its user. */
  isCancelled = false
  isCancelSettled = false
  /** Its process is gone. */
  isGone = false
  #stop = new AbortController()

  constructor(o: {
    name: string
    scenario: Scenario
    clock: MachineClock
    ports: readonly MemoryPort[]
    chance: Chance
    journal: JournalStorage
    onEvent: (client: Client, event: LoggedEvent) => void
  }) {
    this.name = o.name
    this.clock = o.clock
    this.ports = o.ports
    this.source = new CountedSource(o.scenario)
    const [endpoint = '', ...mirrors] = o.ports.map((port) => port.endpoint)
    const host = createMemoryHost({
      ...{ clock: o.clock, randomness: o.chance, journal: o.journal, ports: o.ports },
      page: this.page,
      openSource: async () => this.source.open(),
    })
    this.engine = new UploadEngine(host, resolveOptions({ ...o.scenario.options, endpoint, mirrors }))
    this.engine.on('event', (event) => o.onEvent(this, event))
  }

  start(): void {
    this.isStarted = true
    this.outcome = { kind: 'running' }
    this.#stop = new AbortController()
    this.engine.start({ signal: this.#stop.signal }).then(
      () => {
        this.outcome = { kind: 'done' }
      },
      (error: { code: string }) => {
        this.outcome = { kind: 'failed', code: error.code ?? String(error) }
      },
    )
  }

  abort(): void {
    this.#stop.abort()
  }

  kill(): void {
    this.isGone = true
    this.clock.kill()
    for (const port of this.ports) port.vanish()
  }
}

/** The file, and how much of it is in somebody's hands. */
class CountedSource {
  readonly bytes: Uint8Array
  opened = 0
  readonly #sizeBytes: number

  constructor({ firstBlock, sizeBytes }: Scenario) {
    this.bytes = library.subarray(firstBlock * BLOCK_SIZE, firstBlock * BLOCK_SIZE + sizeBytes)
    this.#sizeBytes = sizeBytes
  }

  open(): Source {
    this.opened += 1
    return {
      sizeBytes: this.#sizeBytes,
      contentType: undefined,
      fingerprint: 'the-file',
      body: ({ start, end }) => this.bytes.subarray(start, end),
      read: async ({ start, end }) => this.bytes.subarray(start, end),
      close: async () => {
        this.opened -= 1
      },
    }
  }
}
