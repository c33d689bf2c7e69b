// A server of the bench: plain @tus/server with FileStore, or the same with ours. It reports what it costs.
import { createReadStream, createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createServer, type Server as HttpServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'
import { RangeStore, type ReconcileExtension, reconcile } from 'tus-reconcile-server'
import { serveCalls } from './calls.js'

export type ServerKind = 'plain' | 'reconcile'

export interface Usage {
  /** After a garbage collection. */
  readonly residentBytes: number
  /** On the connections that are open now. */
  readonly receivedBytes: number
  readonly connections: number
}

let http: HttpServer | undefined
let extension: ReconcileExtension | undefined
const sockets = new Set<Socket>()

async function start({ kind, directory }: { kind: ServerKind; directory: string }): Promise<number> {
  const datastore = kind === 'plain' ? new FileStore({ directory }) : new RangeStore({ directory })
  const tus = new Server({ path: '/files', datastore })
  if (kind === 'reconcile') {
    // a bench is one address with thousands of uploads; and shedding would measure the bound instead of the server
    extension = reconcile(tus, { shedAbove: 1 })
    await extension.ready
  }
  const listening = createServer(
    { requestTimeout: 0 },
    (req, res) => void tus.handle(req, res).catch(() => res.destroy()),
  )
  listening.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  http = listening
  await new Promise<void>((resolve) => listening.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, resolve))
  // what listens on a port has an AddressInfo; a string would be a pipe's
  return (listening.address() as AddressInfo).port
}

/** Of the process since it began, all threads. */
async function cpuSeconds(): Promise<number> {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

async function usage(): Promise<Usage> {
  globalThis.gc?.()
  await sleep(100)
  globalThis.gc?.()
  let receivedBytes = 0
  for (const socket of sockets) receivedBytes += socket.bytesRead
  return { residentBytes: process.memoryUsage.rss(), receivedBytes, connections: sockets.size }
}

/** Concatenation as a server without ours does it: part after part is copied to the end of a new file. */
async function concatenate(copy: { from: string; to: string; size: number; parts: number }): Promise<number> {
  const began = performance.now()
  const partSize = copy.size / copy.parts
  for (let start = 0; start < copy.size; start += partSize) {
    await pipeline(
      createReadStream(copy.from, { start, end: start + partSize - 1 }),
      createWriteStream(copy.to, { flags: 'a' }),
    )
  }
  const tookMs = performance.now() - began
  await rm(copy.to)
  return tookMs
}

async function stop(): Promise<void> {
  await extension?.close()
  http?.close()
  http?.closeAllConnections()
}

serveCalls({ start, cpuSeconds, usage, concatenate, stop })
