import { setTimeout as sleep } from 'node:timers/promises'
import { alternate, compare } from '../figures.js'
import { MeasuredServer } from '../measured-server.js'
import type { ServerKind } from '../server-process.js'
import { type Bench, type Cell, MIB } from './cell.js'

const SENT_BYTES = 65_536
/** A round starts a server on each side. */
const MOST_ROUNDS = 3

/** Bodies that have begun and are open: what they add to the server's resident memory. */
export const openSessions: Cell = {
  name: 'open-sessions',
  async run(bench) {
    const count = bench.quick ? 100 : 1000
    const pairs = await alternate(Math.min(bench.rounds, MOST_ROUNDS), {
      ours: () => grow(bench, 'reconcile', count),
      other: () => grow(bench, 'plain', count),
    })
    const figure = {
      name: `${count} open sessions, ${SENT_BYTES / 1024} KiB of each sent: memory beside the empty server's`,
      unit: 'MiB',
      other: 'as many open plain uploads, FileStore',
    }
    return [compare(figure, pairs)]
  },
}

async function grow(bench: Bench, kind: ServerKind, count: number): Promise<number> {
  const server = await MeasuredServer.start(kind)
  const load = kind === 'plain' ? 'holdPlain' : 'holdSessions'
  const { endpoint } = server
  // code and buffers of the first request belong to the empty server
  await bench.clients.call(load, { endpoint, count: 1, sentBytes: SENT_BYTES })
  await untilReceived(server, SENT_BYTES)
  const before = await server.usage()
  await bench.clients.call(load, { endpoint, count, sentBytes: SENT_BYTES })
  await untilReceived(server, (count + 1) * SENT_BYTES)
  const after = await server.usage()
  await bench.clients.call('letGo')
  await server.stop()
  return (after.residentBytes - before.residentBytes) / MIB
}

async function untilReceived(server: MeasuredServer, bytes: number): Promise<void> {
  for (;;) {
    if ((await server.usage()).receivedBytes >= bytes) return
    await sleep(200)
  }
}
