import { createHash } from 'node:crypto'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect } from 'vitest'
import type { LoggedEvent } from '../orchestration/event-log.js'
import type { PredictorOptions } from '../orchestration/options.js'
import { resolveOptions } from '../orchestration/options.js'
import type { JournalStorage } from '../orchestration/ports.js'
import { UploadEngine } from '../orchestration/upload-engine.js'
import type { UploadError } from '../orchestration/upload-error.js'
import { MemoryPort } from './memory-port.js'
import { MemorySource, sha256 } from './memory-source.js'
import type { MemoryStore } from './memory-store.js'
import { MemoryGroup } from './memory-store.js'
import { everythingDone, SimulatedClock } from './simulated-clock.js'
import { OrderedRandomness } from './transfer-rig.js'

/** One file, the stores of its group in memory, and a clock in the test's hand. */
export class UploadWorld {
  readonly clock = new SimulatedClock()
  readonly source: MemorySource
  readonly group: MemoryGroup
  readonly ports: MemoryPort[]
  readonly events: LoggedEvent[] = []
  readonly engine: UploadEngine
  /** As if the page was being left. */
  leave = () => {}

  constructor(
    o: {
      stores?: number
      blocks?: number
      giveUpAfter?: number
      memory?: JournalStorage
      predictor?: PredictorOptions
    } = {},
  ) {
    this.source = new MemorySource((o.blocks ?? 40) * BLOCK_SIZE)
    this.group = new MemoryGroup({ stores: o.stores ?? 1, sizeBytes: this.source.sizeBytes })
    this.ports = this.group.stores.map((store) => new MemoryPort(store, this.clock))
    const [endpoint = '', ...mirrors] = this.ports.map((port) => port.endpoint)
    const options = resolveOptions({
      endpoint,
      mirrors,
      giveUpAfter: o.giveUpAfter ?? 600,
      predictor: o.predictor ?? {},
    })
    const host = {
      ...{
        clock: this.clock,
        randomness: new OrderedRandomness(),
        digester: sha256,
        journal: undefined,
        memory: o.memory,
      },
      onLeave: (callback: () => void) => {
        this.leave = callback
        return () => {
          this.leave = () => {}
        }
      },
      reportError: (error: unknown) => {
        throw error
      },
      openSource: async () => this.source,
      createPort: (_endpoint: string, server: number) => this.ports[server] ?? new MemoryPort(this.home, this.clock),
      uploadPlain: () => Promise.reject(new Error('no plain server is here')),
      terminatePlain: async () => {},
    }
    this.engine = new UploadEngine(host, options)
    this.engine.on('event', (event) => this.events.push(event))
  }

  get home(): MemoryStore {
    const [home] = this.group.stores
    if (!home) throw new Error('no store')
    return home
  }

  get receivedBytes(): number {
    return this.group.stores.reduce((sum, store) => sum + store.receivedBytes, 0)
  }

  expectWhole(): void {
    const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
    expect(this.group.state).toBe('committed')
    expect(digest(this.group.file)).toBe(digest(this.source.bytes))
  }

  /** Nothing waits, nothing is open. */
  async expectQuiet(): Promise<void> {
    await everythingDone()
    expect(this.clock.timers).toBe(0)
    expect(this.group.stores.map((store) => store.listeners.size)).toEqual(this.group.stores.map(() => 0))
    expect(this.source.isClosed).toBe(true)
  }
}

/** What a start comes to, without an unhandled rejection meanwhile. */
export function outcomeOf(started: Promise<unknown>): Promise<unknown> {
  return started.catch((error: UploadError) => error.code)
}
