#!/usr/bin/env node
import { mkdirSync } from 'node:fs'
import { createServer, type Server as HttpServer } from 'node:http'
import { Server } from '@tus/server'
import { type Logger, pino } from 'pino'
import { type CliOptions, FlagError, parseCliOptions } from './cli-options.js'
import { type ReconcileExtension, reconcile } from './reconcile.js'
import { RangeStore } from './store/range-store.js'
import { textLog } from './text-log.js'

/** Headers arrive within this time; bodies are bounded by their progress instead. */
const HEADERS_TIMEOUT_MS = 60_000
/** A socket on which nothing moves is closed. */
const IDLE_TIMEOUT_MS = 125_000
/** Above the usual proxies' 60 s, so that they and not we close idle connections. */
const KEEP_ALIVE_MS = 75_000

async function main(): Promise<void> {
  const options = parseCliOptions(process.argv.slice(2))
  if (!options) return
  const log = pino(
    { base: null },
    options.log === 'json' ? pino.destination(2) : textLog((line) => process.stderr.write(line)),
  )
  const { http, extension } = mount(options, log)
  const { storeId } = await extension.ready.catch((error: unknown) => {
    throw new FlagError(`--directory ${options.directory} holds records that cannot be used: ${messageOf(error)}`)
  })
  await listen(http, options)
  const address = http.address()
  const port = typeof address === 'object' && address !== null ? address.port : options.port
  const url = `http://${urlHost(options.host)}:${port}${options.path}`
  sayReady(options, { url, storeId })
  let stopping = false
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (!stopping) void stop(http, extension).then(() => process.exit(0))
      stopping = true
    })
  }
}

function mount(options: CliOptions, logger: Logger): { http: HttpServer; extension: ReconcileExtension } {
  try {
    mkdirSync(options.directory, { recursive: true })
  } catch (error) {
    throw new FlagError(`--directory ${options.directory} cannot be used (${messageOf(error)}): name a writable folder`)
  }
  const datastore = new RangeStore({
    directory: options.directory,
    expirationPeriodInMilliseconds: options.expireMs,
  })
  const server = new Server({
    path: options.path,
    datastore,
    ...(options.maxSize === undefined ? {} : { maxSize: options.maxSize }),
  })
  const extension = reconcile(server, { peers: options.peers, secrets: options.secrets, logger })
  const timeouts = { requestTimeout: 0, headersTimeout: HEADERS_TIMEOUT_MS, keepAliveTimeout: KEEP_ALIVE_MS }
  const http = createServer(timeouts, (req, res) => {
    server.handle(req, res).catch((err: unknown) => {
      logger.error({ err }, 'answer failed')
      res.destroy()
    })
  })
  http.setTimeout(IDLE_TIMEOUT_MS)
  return { http, extension }
}

function listen(http: HttpServer, options: CliOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    http.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') {
        reject(new FlagError(`--port ${options.port} is taken on ${options.host}: choose another, or 0 for any`))
      } else if (error.code === 'EACCES') {
        reject(new FlagError(`--port ${options.port} is not allowed to this user: choose one above 1023`))
      } else reject(new FlagError(`--host ${options.host} cannot be listened on (${error.code}): name an own address`))
    })
    http.listen(options.port, options.host, resolve)
  })
}

function sayReady(options: CliOptions, ready: { url: string; storeId: string }): void {
  const line =
    options.log === 'json'
      ? JSON.stringify({ ready: true, ...ready })
      : `tus-reconcile-server takes uploads at ${ready.url} (store ${ready.storeId})`
  process.stdout.write(`${line}\n`)
}

/** Running bodies are answered 503: what arrived is recorded, and clients go on when the server is back. */
async function stop(http: HttpServer, extension: ReconcileExtension): Promise<void> {
  const closed = new Promise((resolve) => http.close(resolve))
  await extension.close()
  http.closeAllConnections()
  await closed
}

function urlHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}

function messageOf(error: unknown): string {
  if (error instanceof Error && 'code' in error) return String(error.code)
  return error instanceof Error ? error.message : String(error)
}

main().catch((error: unknown) => {
  process.stderr.write(`tus-reconcile-server: ${error instanceof FlagError ? error.message : messageOf(error)}\n`)
  process.exit(error instanceof FlagError ? 2 : 1)
})
