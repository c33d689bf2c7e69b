import { setTimeout as sleep } from 'node:timers/promises'
import { type Figure, percentile, spreadOf } from '../figures.js'
import { MeasuredServer } from '../measured-server.js'
import { type Cell, MIB } from './cell.js'

/** How long the server's CPU is looked at while streams only beat. */
const IDLE_MS = 10_000

/** Many event streams at once: memory, CPU of their heartbeats, and how soon a write is told. */
export const eventStreams: Cell = {
  name: 'event-streams',
  async run(bench) {
    const count = bench.quick ? 500 : 10_000
    const samples = bench.quick ? 50 : 500
    const server = await MeasuredServer.start('reconcile')
    const { endpoint } = server
    await bench.clients.call('openStreams', { endpoint, count: 10 })
    const before = await server.usage()
    await bench.clients.call('openStreams', { endpoint, count: count + 10 })
    const after = await server.usage()
    const idle = await server.cpuSecondsOf(() => sleep(bench.quick ? 2000 : IDLE_MS))
    const idleSeconds = (bench.quick ? 2000 : IDLE_MS) / 1000
    const times = await bench.clients.call<number[]>('timeEvents', { endpoint, samples })
    await bench.clients.call('closeStreams')
    await server.stop()
    const sorted = times.toSorted((a, b) => a - b)
    const name = `${count} event streams`
    const one = (value: number) => spreadOf([value])
    const figures: Figure[] = [
      { name: `${name}: memory`, unit: 'MiB', ours: one((after.residentBytes - before.residentBytes) / MIB) },
      { name: `${name}: CPU while nothing happens`, unit: 's per second', ours: one(idle.cpuSeconds / idleSeconds) },
      { name: `${name}: from write to offset event, p50`, unit: 'ms', ours: one(percentile(sorted, 0.5)) },
      {
        name: `${name}: from write to offset event, p99`,
        unit: 'ms',
        ours: one(percentile(sorted, 0.99)),
        note: 'offsets are told at most each 100 ms, by design',
      },
    ]
    return figures
  },
}
