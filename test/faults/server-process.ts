import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

// the real command, as it is built
const CLI = fileURLToPath(new URL('../../packages/tus-reconcile-server/dist/cli.js', import.meta.url))

/** The command on a directory, as a process of its own. */
export class ServerProcess {
  readonly endpoint: string
  readonly storeId: string
  readonly #child: ChildProcess
  #isKilled = false

  private constructor(child: ChildProcess, ready: { url: string; storeId: string }) {
    this.#child = child
    this.endpoint = ready.url
    this.storeId = ready.storeId
  }

  static async start(directory: string): Promise<ServerProcess> {
    const args = ['--directory', directory, '--host', '127.0.0.1', '--port', '0', '--log', 'json']
    const child = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    let log = ''
    child.stderr?.on('data', (chunk) => {
      log += chunk
    })
    const line = await Promise.race([
      once(child.stdout ?? child, 'data').then(([chunk]) => String(chunk)),
      once(child, 'exit').then(([code]) => {
        throw new Error(`the server ended with ${code}: ${log}`)
      }),
    ])
    return new ServerProcess(child, JSON.parse(line))
  }

  /** Whether what fails now may fail. */
  get isKilled(): boolean {
    return this.#isKilled
  }

  /** `kill -9`. Settles when the process is gone. */
  async kill(): Promise<void> {
    this.#isKilled = true
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exit
  }
}
