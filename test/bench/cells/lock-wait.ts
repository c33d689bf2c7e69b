import { alternate, compare } from '../figures.js'
import { MeasuredServer } from '../measured-server.js'
import { type Bench, type Cell, MIB } from './cell.js'

/** A round waits for up to three seconds on each side. */
const MOST_ROUNDS = 4

/** A HEAD waits for the PATCH that holds its upload: CPU that the server burns meanwhile, per second of waiting. */
export const lockWait: Cell = {
  name: 'lock-wait',
  async run(bench) {
    const [ours, plain] = [await MeasuredServer.start('reconcile'), await MeasuredServer.start('plain')]
    const pairs = await alternate(Math.min(bench.rounds, MOST_ROUNDS), {
      ours: () => wait(bench, ours),
      other: () => wait(bench, plain),
    })
    await ours.stop()
    await plain.stop()
    const other = "@tus/server's MemoryLocker"
    const waited = { name: 'waiting for a held upload', unit: 'ms', other }
    const burnt = { name: 'CPU while waiting for a held upload', unit: 's per second', other }
    return [
      compare(
        burnt,
        pairs.map((pair) => ({ ours: pair.ours.cpuShare, other: pair.other.cpuShare })),
      ),
      compare(
        waited,
        pairs.map((pair) => ({ ours: pair.ours.waitedMs, other: pair.other.waitedMs })),
      ),
    ]
  },
}

async function wait(bench: Bench, server: MeasuredServer): Promise<{ waitedMs: number; cpuShare: number }> {
  const { endpoint } = server
  const began = performance.now()
  const { result, cpuSeconds } = await server.cpuSecondsOf(() =>
    bench.clients.call<number>('waitForLock', { endpoint, size: MIB }),
  )
  return { waitedMs: result, cpuShare: cpuSeconds / ((performance.now() - began) / 1000) }
}
