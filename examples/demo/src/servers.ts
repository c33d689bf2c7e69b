import { type ChildProcess, spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'

/** A line of a server's log, as pino writes it. */
export interface ServerLogLine {
  /** ms since 1970. */
  readonly time: number
  readonly msg: string
  readonly session?: string
  /** Of a group's end: the sessions that ended with it. */
  readonly unfinished?: readonly string[]
  readonly level: number
  readonly text: string
}

export interface ServerOptions {
  readonly name: string
  readonly directory: string
  readonly port: number
  readonly secretFile: string
  /** A proxy in front of it ends TLS. */
  readonly isBehindProxy: boolean
  /** `PUBLIC_URL,INTERNAL_URL` each. */
  readonly peers: readonly string[]
}

/** A guess: on two busy cores a server is ready within 2 s. */
const READY_MS = 30_000
/** Between asking a server to end and ending it (guess). */
const STOP_MS = 5_000

/** A reconcile server as a process of its own: begun, killed, begun again. */
export class ServerProcess {
  readonly name: string
  readonly directory: string
  readonly port: number
  storeId = ''
  readonly log: ServerLogLine[] = []
  /** When it took requests and when not: instants on the clock of `performance.now()`. */
  readonly lives: { readonly atMs: number; readonly isUp: boolean }[] = []
  readonly #options: ServerOptions
  #child: ChildProcess | undefined
  #stopping = false

  constructor(options: ServerOptions) {
    this.#options = options
    this.name = options.name
    this.directory = options.directory
    this.port = options.port
  }

  /** The endpoint itself, past every link. */
  get directEndpoint(): string {
    return `http://127.0.0.1:${this.port}/files`
  }

  get isRunning(): boolean {
    return this.#child !== undefined
  }

  /** Settles when the server takes requests. @throws Error with its last words when it does not */
  async start(): Promise<void> {
    if (this.#child !== undefined || this.#stopping) return
    const child = spawn(process.execPath, [locateCli(), ...this.#flags()], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    child.once('exit', () => {
      if (this.#child === child) this.#child = undefined
      this.lives.push({ atMs: performance.now(), isUp: false })
    })
    createInterface({ input: child.stderr }).on('line', (line) => this.#keep(line))
    await this.#whenReady(child)
    this.lives.push({ atMs: performance.now(), isUp: true })
  }

  /** kill -9. Settles when the process is gone. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await this.#end('SIGTERM')
  }

  #flags(): string[] {
    const { directory, port, secretFile, isBehindProxy, peers } = this.#options
    const peerFlags = peers.flatMap((peer) => ['--peer', peer])
    const fixed = ['--directory', directory, '--host', '127.0.0.1', '--port', String(port)]
    const proxy = isBehindProxy ? ['--behind-proxy'] : []
    return [...fixed, ...proxy, '--secret-file', secretFile, ...peerFlags, '--log', 'json']
  }

  #keep(line: string): void {
    this.log.push(parseLogLine(line))
  }

  #whenReady(child: ChildProcess): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (why: string) => {
        clearTimeout(timer)
        const last = this.log.at(-1)?.text ?? 'it said nothing'
        reject(new Error(`${this.name} (tus-reconcile-server) ${why}: ${last}`))
      }
      const timer = setTimeout(() => fail(`was not ready in ${READY_MS / 1000} s`), READY_MS)
      child.once('error', (error) => fail(error.message))
      child.once('exit', () => fail('ended before it was ready'))
      if (child.stdout === null) return
      createInterface({ input: child.stdout }).on('line', (line) => {
        const storeId = readStoreId(line)
        if (storeId === undefined) return
        clearTimeout(timer)
        this.storeId = storeId
        resolve()
      })
    })
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    child.kill(signal)
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await gone
    clearTimeout(timer)
  }
}

/** The built command of tus-reconcile-server. */
function locateCli(): string {
  const entry = createRequire(import.meta.url).resolve('tus-reconcile-server')
  return join(dirname(entry), 'cli.js')
}

function readStoreId(line: string): string | undefined {
  try {
    const said: unknown = JSON.parse(line)
    const isReady = typeof said === 'object' && said !== null && 'ready' in said && 'storeId' in said
    return isReady ? String(said.storeId) : undefined
  } catch {
    return undefined
  }
}

function parseLogLine(text: string): ServerLogLine {
  try {
    const said: unknown = JSON.parse(text)
    if (typeof said === 'object' && said !== null && 'msg' in said && 'time' in said) {
      const level = 'level' in said ? Number(said.level) : 30
      const session = 'session' in said ? { session: String(said.session) } : {}
      const unfinished =
        'unfinished' in said && Array.isArray(said.unfinished) ? said.unfinished.map(String) : undefined
      return {
        time: Number(said.time),
        msg: String(said.msg),
        level,
        text,
        ...session,
        ...(unfinished && { unfinished }),
      }
    }
  } catch {
    // what is no JSON is what it said when it failed
  }
  return { time: Date.now(), msg: text, level: 50, text }
}
