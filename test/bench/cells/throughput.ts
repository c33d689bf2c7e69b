import { alternate, compare, type Figure, type Spread } from '../figures.js'
import type { PartitionedTimes } from '../load/uploads.js'
import { MeasuredServer } from '../measured-server.js'
import { type Bench, type Cell, MIB } from './cell.js'

interface Cost {
  readonly megabytesPerSecond: number
  readonly cpuSecondsPerGigabyte: number
}

/** One file in partitions with digests, and plain uploads, against plain @tus/server with FileStore on the same disk. */
export const throughput: Cell = {
  name: 'throughput',
  async run(bench) {
    const size = (bench.quick ? 32 : 256) * MIB
    await bench.clients.call('prepare', { size })
    const [ours, plain] = [await MeasuredServer.start('reconcile'), await MeasuredServer.start('plain')]
    const figures: Figure[] = []
    for (const connections of [1, 16]) {
      const other = () => plainUploads(bench, plain, { size, connections })
      const digests = await alternate(bench.rounds, {
        ours: () => partitions(bench, ours, { size, connections }),
        other,
      })
      figures.push(...rows(`upload in partitions, digests on, ${connections} connections`, digests, 0.95))
      const without = await alternate(bench.rounds, {
        ours: () => plainUploads(bench, ours, { size, connections }),
        other,
      })
      figures.push(...rows(`plain uploads, no digests, ${connections} connections`, without, 1))
    }
    await ours.stop()
    await plain.stop()
    return figures
  },
}

async function plainUploads(
  bench: Bench,
  server: MeasuredServer,
  o: { size: number; connections: number },
): Promise<Cost> {
  const { endpoint } = server
  const { result, cpuSeconds } = await server.cpuSecondsOf(() =>
    bench.clients.call<number>('uploadPlain', { endpoint, connections: o.connections }),
  )
  return cost(o.size, result, cpuSeconds)
}

async function partitions(
  bench: Bench,
  server: MeasuredServer,
  o: { size: number; connections: number },
): Promise<Cost> {
  const { endpoint } = server
  const { result, cpuSeconds } = await server.cpuSecondsOf(async () => {
    const times = await bench.clients.call<PartitionedTimes>('uploadPartitioned', {
      endpoint,
      connections: o.connections,
    })
    await bench.clients.call('remove', { url: times.url })
    return times
  })
  return cost(o.size, result.totalMs, cpuSeconds)
}

function cost(size: number, tookMs: number, cpuSeconds: number): Cost {
  return { megabytesPerSecond: size / 1e3 / tookMs, cpuSecondsPerGigabyte: cpuSeconds / (size / 1e9) }
}

function rows(name: string, pairs: readonly { ours: Cost; other: Cost }[], least: number): Figure[] {
  const other = 'plain @tus/server, FileStore'
  const speeds = pairs.map((pair) => ({ ours: pair.ours.megabytesPerSecond, other: pair.other.megabytesPerSecond }))
  const cpu = pairs.map((pair) => ({ ours: pair.ours.cpuSecondsPerGigabyte, other: pair.other.cpuSecondsPerGigabyte }))
  const holds = (ratio: Spread) => ratio.median >= least
  return [
    compare({ name, unit: 'MB/s', other }, speeds, { text: `at least ${least}`, holds }),
    compare({ name: `${name}: CPU of the server`, unit: 's/GB', other }, cpu),
  ]
}
