import { accessSync, constants, mkdirSync } from 'node:fs'
import { createServer, type Server as HttpServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { Server } from '@tus/server'
import type { Logger } from 'pino'
import { privateLog } from '../private-log.js'
import { reconcile } from '../reconcile.js'
import type { Health, ReconcileExtension } from '../reconcile-options.js'
import { IndexError } from '../records/index-error.js'
import { RangeStore } from '../store/range-store.js'
import { answerOperator } from './cli-answers.js'
import type { CliOptions } from './cli-options.js'
import { codeOf, FlagError, readSecrets } from './cli-values.js'

/** Headers arrive within this time; bodies are bounded by their progress instead. */
const HEADERS_TIMEOUT_MS = 60_000
/** A socket on which nothing moves is closed. */
const IDLE_TIMEOUT_MS = 125_000
/** Above the usual proxies' 60 s, so that they and not we close idle connections. */
const KEEP_ALIVE_MS = 75_000
/** At the end, answers that are on their way have this long to go out. */
const LAST_ANSWERS_MS = 1000

/** The command's own HTTP server: a tus server with the extension, from start to stop. */
export class CommandServer {
  readonly #options: CliOptions
  readonly #log: Logger
  readonly #extension: ReconcileExtension
  #secrets: readonly string[]
  readonly #http: HttpServer
  #isLeaving = false

  /** @throws FlagError */
  constructor(options: CliOptions, log: Logger) {
    this.#options = options
    this.#log = privateLog(log)
    this.#secrets = options.secrets
    prepareDirectory(options.directory)
    const datastore = new RangeStore({
      directory: options.directory,
      expirationPeriodInMilliseconds: options.expireMs,
      durability: options.durability,
      ...(options.minFreeBytes === undefined ? {} : { minFreeBytes: options.minFreeBytes }),
    })
    const maxSize = options.maxSize === undefined ? {} : { maxSize: options.maxSize }
    const tus = new Server({ path: options.path, datastore, respectForwardedHeaders: options.behindProxy, ...maxSize })
    const timeouts = { requestTimeout: 0, headersTimeout: HEADERS_TIMEOUT_MS, keepAliveTimeout: KEEP_ALIVE_MS }
    const health = () => this.#health()
    const metrics = () => this.#extension.metrics()
    const http = createServer(timeouts, (req, res) => {
      if (answerOperator({ health, metrics }, req, res)) return
      tus.handle(req, res).catch((err: unknown) => {
        this.#log.error({ err }, 'answer failed')
        res.destroy()
      })
    })
    http.setTimeout(IDLE_TIMEOUT_MS)
    // who has sent a whole request and closed its side is answered: by default Node closes the other side too, at once
    this.#http = Object.assign(http, { httpAllowHalfOpen: true })
    this.#extension = reconcile(tus, {
      peers: options.peers,
      secrets: () => this.#secrets,
      commitAt: options.commitAt,
      logger: log,
    })
  }

  /** Listens, loads what is recorded, and says where. @throws FlagError */
  async start(): Promise<{ readonly url: string; readonly storeId: string }> {
    const { directory, host, path } = this.#options
    const [port, ready] = await Promise.allSettled([listen(this.#http, this.#options), this.#extension.ready])
    if (port.status === 'rejected') throw port.reason
    if (ready.status === 'rejected') {
      const reason = ready.reason instanceof IndexError ? ready.reason.message : codeOf(ready.reason)
      throw new FlagError(`--directory ${directory} cannot be used: ${reason}`)
    }
    const url = `http://${urlHost(host)}:${port.value}${path === '/' ? '' : path}`
    this.#log.info({ url, store: ready.value.storeId }, 'ready')
    return { url, storeId: ready.value.storeId }
  }

  /** The secret file may have changed. One that is wrong now leaves the secrets as they are. */
  readSecretsAgain(): void {
    const file = this.#options.secretFile
    if (file === undefined) return this.#log.info('nothing to read again: there is no --secret-file')
    try {
      this.#secrets = readSecrets(file)
      this.#log.info({ secrets: this.#secrets.length }, 'secrets read again')
    } catch (error) {
      this.#log.error({ reason: codeOf(error) }, 'secrets kept as they were')
    }
  }

  /**
   * Says that it is going to stop, and for a while still takes all that comes: who sends it may not have heard. Then:
   * no new session or body; those that run end with their block, and clients go on when the server is back. Then
   * event streams and connections end. Settles when all is on disk.
   */
  async stop(reason: string): Promise<void> {
    this.#log.info({ reason }, 'stopping')
    this.#isLeaving = true
    await sleep(this.#options.drainDelayMs)
    await this.#extension.drain()
    const closed = new Promise((resolve) => this.#http.close(resolve))
    await this.#extension.close()
    await Promise.race([closed, sleep(LAST_ANSWERS_MS)])
    this.#http.closeAllConnections()
    await closed
    this.#log.info('stopped')
  }

  #health(): Health {
    const health = this.#extension.health()
    return this.#isLeaving && health.state === 'ready' ? { ...health, state: 'draining' } : health
  }
}

function prepareDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true })
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new FlagError(`--directory ${directory} cannot be used (${codeOf(error)}): name a folder that may be written`)
  }
}

function listen(http: HttpServer, options: CliOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    http.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') {
        reject(new FlagError(`--port ${options.port} is taken on ${options.host}: choose another, or 0 for any`))
      } else if (error.code === 'EACCES') {
        reject(new FlagError(`--port ${options.port} is not allowed to this user: choose one above 1023`))
      } else reject(new FlagError(`--host ${options.host} cannot be listened on (${error.code}): name an own address`))
    })
    http.listen(options.port, options.host, () => {
      const address = http.address()
      resolve(typeof address === 'object' && address !== null ? address.port : options.port)
    })
  })
}

function urlHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}
