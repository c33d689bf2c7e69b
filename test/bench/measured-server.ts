import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BenchProcess } from './calls.js'
import type { ServerKind, Usage } from './server-process.js'

/** A server of the bench in a process and a folder of its own. */
export class MeasuredServer {
  readonly directory: string
  readonly endpoint: string
  readonly #process: BenchProcess

  private constructor(process: BenchProcess, directory: string, port: number) {
    this.#process = process
    this.directory = directory
    this.endpoint = `http://127.0.0.1:${port}/files`
  }

  static async start(kind: ServerKind): Promise<MeasuredServer> {
    const directory = await mkdtemp(join(tmpdir(), `bench-${kind}-`))
    const process = new BenchProcess('server-process')
    return new MeasuredServer(process, directory, await process.call<number>('start', { kind, directory }))
  }

  usage(): Promise<Usage> {
    return this.#process.call('usage')
  }

  /** Milliseconds. */
  concatenate(copy: { from: string; to: string; size: number; parts: number }): Promise<number> {
    return this.#process.call('concatenate', copy)
  }

  /** What `run` cost this server. */
  async cpuSecondsOf<T>(run: () => Promise<T>): Promise<{ readonly result: T; readonly cpuSeconds: number }> {
    const before = await this.#process.call<number>('cpuSeconds')
    const result = await run()
    return { result, cpuSeconds: (await this.#process.call<number>('cpuSeconds')) - before }
  }

  async stop(): Promise<void> {
    await this.#process.call('stop')
    await this.#process.stop()
    await rm(this.directory, { recursive: true, force: true })
  }
}
