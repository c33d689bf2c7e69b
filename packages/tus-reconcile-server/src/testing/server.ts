import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server as HttpServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { Server, type ServerOptions } from '@tus/server'
import { pino } from 'pino'
import { reconcile } from '../reconcile.js'
import type { ReconcileExtension, ReconcileOptions } from '../reconcile-options.js'
import { RangeStore } from '../store/range-store.js'
import type { RangeStoreOptions } from '../store/range-store-options.js'

export const SECRET = 'a-secret-of-the-tests-only'

export interface TestStore {
  readonly endpoint: string
  readonly storeId: string
  readonly directory: string
  readonly http: HttpServer
  readonly server: Server
  readonly datastore: RangeStore
  readonly extension: ReconcileExtension
  /** Log entries, oldest first. */
  readonly log: Record<string, unknown>[]
  /** Settles with the first log entry that passes. */
  logged(test: (entry: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>
  close(): Promise<void>
}

export interface TestStoreOptions {
  readonly directory?: string
  readonly port?: number
  readonly tus?: Partial<ServerOptions>
  readonly reconcile?: ReconcileOptions
  readonly store?: Omit<RangeStoreOptions, 'directory'>
  readonly expireMs?: number
}

/** Below those that systems give to whoever asks for any: nobody else's server comes to one that waits for its own. */
const PORTS = { first: 20_000, count: 10_000 }
/** Test files run as processes of their own, two at a time: each begins elsewhere. */
let portsTaken = process.pid * 101

/** A free port, so that stores can know each other before they exist. Never the same twice. */
export async function freePort(): Promise<number> {
  const port = PORTS.first + (portsTaken++ % PORTS.count)
  const http = createServer()
  const isFree = await listen(http, port).then(
    () => true,
    () => false,
  )
  if (!isFree) return freePort()
  await new Promise((resolve) => http.close(resolve))
  return port
}

export async function startStore(options: TestStoreOptions = {}): Promise<TestStore> {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'reconcile-test-')))
  const log: Record<string, unknown>[] = []
  const waiting = new Set<() => void>()
  const sink = new Writable({
    write(chunk, _encoding, done) {
      log.push(JSON.parse(String(chunk)))
      for (const wake of waiting) wake()
      done()
    },
  })
  const datastore = new RangeStore({
    directory,
    ...options.store,
    ...(options.expireMs === undefined ? {} : { expirationPeriodInMilliseconds: options.expireMs }),
  })
  const server = new Server({ path: '/files', datastore, ...options.tus })
  const extension = reconcile(server, { logger: pino(sink), ...options.reconcile })
  const http = createServer(
    { requestTimeout: 0 },
    (req, res) => void server.handle(req, res).catch(() => res.destroy()),
  )
  const port = await listen(http, options.port ?? 0)
  const { storeId } = await extension.ready.catch(async (error: unknown) => {
    await extension.close()
    http.close()
    throw error
  })
  return {
    endpoint: `http://127.0.0.1:${port}/files`,
    storeId,
    directory,
    http,
    server,
    datastore,
    extension,
    log,
    logged: async (test) => {
      for (;;) {
        const found = log.find(test)
        if (found) return found
        await new Promise<void>((resolve) => {
          const wake = () => {
            waiting.delete(wake)
            resolve()
          }
          waiting.add(wake)
        })
      }
    },
    close: async () => {
      await extension.close()
      http.closeAllConnections()
      await new Promise((resolve) => http.close(resolve))
      if (options.directory === undefined) await rm(directory, { recursive: true, force: true })
    },
  }
}

/** Returns the port; 0 picks one. @throws where it is taken */
export function listen(http: HttpServer, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    http.once('error', reject)
    http.listen(port, '127.0.0.1', () => {
      const address = http.address()
      resolve(typeof address === 'object' && address ? address.port : port)
    })
  })
}
