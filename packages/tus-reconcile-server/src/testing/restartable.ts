import { rm } from 'node:fs/promises'
import { afterEach } from 'vitest'
import { startMember } from './cluster.js'
import { freePort, type TestStore, type TestStoreOptions } from './server.js'

/** A store that can be stopped and started again at the same address, with the same bytes. `ports` are all stores'. */
export class Restartable {
  readonly #ports: number[]
  readonly #port: number
  readonly #options: TestStoreOptions
  #store: TestStore | undefined
  #directory: string | undefined

  constructor(ports: number[], port: number, options: TestStoreOptions = {}) {
    this.#ports = ports
    this.#port = port
    this.#options = options
  }

  /** The one that runs. */
  get store(): TestStore {
    if (!this.#store) throw new Error('the store does not run')
    return this.#store
  }

  async start(options: TestStoreOptions = {}): Promise<TestStore> {
    const directory = this.#directory === undefined ? {} : { directory: this.#directory }
    this.#store = await startMember(this.#ports, this.#port, { ...this.#options, ...options, ...directory })
    this.#directory = this.#store.directory
    return this.#store
  }

  async stop(): Promise<void> {
    const store = this.#store
    this.#store = undefined
    if (!store) return
    await store.extension.close()
    store.http.closeAllConnections()
    await new Promise((resolve) => store.http.close(resolve))
  }

  async remove(): Promise<void> {
    await this.stop()
    if (this.#directory !== undefined) await rm(this.#directory, { recursive: true, force: true })
    this.#directory = undefined
  }
}

/** For a test file: stores that list each other and are still to be started. They go with the test that made them. */
export function testRestartables(): (count: number, options?: () => TestStoreOptions) => Promise<Restartable[]> {
  const opened: Restartable[] = []
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.remove()
  })
  return async (count, options = () => ({})) => {
    const ports: number[] = []
    while (ports.length < count) ports.push(await freePort())
    const stores = ports.map((port) => new Restartable(ports, port, options()))
    opened.push(...stores)
    return stores
  }
}
