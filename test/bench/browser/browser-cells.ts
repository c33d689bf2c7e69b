import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { openLink } from 'reconcile-test-support/links/index'
import { MIB } from '../cells/cell.js'
import { alternate, compare, type Figure, spreadOf } from '../figures.js'
import { MeasuredServer } from '../measured-server.js'
import type { ComparisonSite, Measured, WatchedPage } from './comparison-site.js'

export interface BrowserBench {
  readonly site: ComparisonSite
  readonly rounds: number
  readonly quick: boolean
  readonly seed: number
  /** The larger file of `heap`. */
  readonly heapGb: number
}

export interface BrowserCell {
  readonly name: string
  run(bench: BrowserBench): Promise<Figure[]>
}

/** 200 Mbit/s. */
const SHAPED_BYTES_PER_SECOND = 25_000_000
const DELAY_MS = 10
const THROTTLING = 6
const UPPY = '@uppy/tus to plain @tus/server'
/** Bytes of a digest, and of a block that has one. */
const LEAF_BYTES = 32
const BLOCK_BYTES = 262_144

/** What a browser and a Node server on this machine move at all: without it the other figures say nothing. */
const loopback: BrowserCell = {
  name: 'loopback',
  async run({ site, rounds, quick, seed }) {
    const size = (quick ? 16 : 256) * MIB
    const file = await site.seededFile(seed, size)
    const cors = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Headers': '*' }
    const sink = createServer((request, response) => {
      request.resume().once('end', () => response.writeHead(204, cors).end())
    })
    await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', () => resolve()))
    // what listens on a port has an AddressInfo; a string would be a pipe's
    const endpoint = `http://127.0.0.1:${(sink.address() as AddressInfo).port}/`
    const rates: number[] = []
    for (let round = 0; round < rounds; round++) {
      const { tookMs } = await site.run({ uploader: 'one XHR body', endpoint, file })
      rates.push(size / 1e3 / tookMs)
    }
    sink.closeAllConnections()
    sink.close()
    return [{ name: 'raw loopback: one XHR body to a Node server that reads it', unit: 'MB/s', ours: spreadOf(rates) }]
  },
}

const shaped: BrowserCell = {
  name: 'shaped',
  async run(bench) {
    const size = (bench.quick ? 16 : 256) * MIB
    const pairs = await comparePair(bench, { size, rounds: bench.rounds, cpuThrottling: 1 })
    const name = 'upload at 200 Mbit/s, digests on'
    const per = (of: (measured: Measured) => number) =>
      pairs.map(({ ours, other }) => ({ ours: of(ours), other: of(other) }))
    return [
      compare(
        { name, unit: 'MB/s', other: UPPY },
        per(({ tookMs }) => size / 1e3 / tookMs),
        { text: 'at least 0.98', holds: ({ median }) => median >= 0.98 },
      ),
      compare(
        { name: `${name}: CPU of the browser`, unit: 's/GB', other: UPPY },
        per(({ cpuSeconds }) => cpuSeconds / (size / 1e9)),
      ),
      longTasks(name, pairs),
    ]
  },
}

const throttled: BrowserCell = {
  name: 'throttled',
  async run(bench) {
    const size = (bench.quick ? 16 : 64) * MIB
    const pairs = await comparePair(bench, { size, rounds: Math.min(2, bench.rounds), cpuThrottling: THROTTLING })
    const name = `upload at 200 Mbit/s, page at a ${THROTTLING}th of its CPU`
    const rates = pairs.map(({ ours, other }) => ({ ours: size / 1e3 / ours.tookMs, other: size / 1e3 / other.tookMs }))
    return [compare({ name, unit: 'MB/s', other: UPPY }, rates), longTasks(name, pairs)]
  },
}

/** After collections, all through an upload of a file that takes no room on the disk it is read from. */
const heap: BrowserCell = {
  name: 'heap',
  async run({ site, quick, heapGb }) {
    const [small, large] = quick ? [0.0625, 0.25] : [1, heapGb]
    const least = await highestHeap(site, small * 1e9)
    const most = await highestHeap(site, large * 1e9)
    const leaves = ((large - small) * 1e9 * LEAF_BYTES) / BLOCK_BYTES
    const ratio = (most - leaves) / least
    const one = (value: number) => ({ median: value, least: value, most: value })
    return [
      {
        ...{ name: `highest heap at ${large} GB`, unit: 'MB', ours: one(most / 1e6) },
        ...{ other: { name: `at ${small} GB`, value: one(least / 1e6) }, ratio: one(ratio) },
        goal: { text: `at most 1.1 beyond ${LEAF_BYTES} bytes a block`, isReached: ratio <= 1.1 },
        note: `ratio without the ${(leaves / 1e6).toFixed(1)} MB of digests`,
      },
    ]
  },
}

export const BROWSER_CELLS: readonly BrowserCell[] = [loopback, shaped, throttled, heap]

/** Both uploaders in turns, each to a server of its own behind a link of its own. */
async function comparePair(
  { site, seed }: BrowserBench,
  o: { size: number; rounds: number; cpuThrottling: number },
): Promise<{ ours: Measured; other: Measured }[]> {
  const file = await site.seededFile(seed, o.size)
  const { cpuThrottling } = o
  const ours = await shapedServer('reconcile')
  const plain = await shapedServer('plain')
  try {
    return await alternate(o.rounds, {
      ours: () => site.run({ uploader: 'uppy-adaptive', endpoint: ours.endpoint, file, cpuThrottling }),
      other: () => site.run({ uploader: '@uppy/tus', endpoint: plain.endpoint, file, cpuThrottling }),
    })
  } finally {
    await ours.stop()
    await plain.stop()
  }
}

async function shapedServer(kind: 'reconcile' | 'plain'): Promise<{ endpoint: string; stop(): Promise<void> }> {
  const server = await MeasuredServer.start(kind)
  const { port } = new URL(server.endpoint)
  const link = await openLink({
    ...{ name: kind, target: { host: '127.0.0.1', port: Number(port) }, delayMs: DELAY_MS },
    ...{ upBytesPerSecond: SHAPED_BYTES_PER_SECOND, downBytesPerSecond: SHAPED_BYTES_PER_SECOND },
  })
  const stop = async () => {
    await link.close()
    await server.stop()
  }
  return { endpoint: `${link.origin}/files`, stop }
}

function longTasks(name: string, pairs: readonly { ours: Measured; other: Measured }[]): Figure {
  const longest = (of: 'ours' | 'other') => spreadOf(pairs.map((pair) => Math.max(0, ...pair[of].longTasksMs)))
  const count = pairs.reduce((sum, { ours }) => sum + ours.longTasksMs.length, 0)
  const ours = longest('ours')
  return {
    ...{ name: `${name}: longest task over 50 ms`, unit: 'ms', ours },
    other: { name: UPPY, value: longest('other') },
    goal: { text: 'none', isReached: count === 0 },
    note: `${count} of ours in ${pairs.length} uploads`,
  }
}

async function highestHeap(site: ComparisonSite, size: number): Promise<number> {
  const server = await MeasuredServer.start('reconcile')
  let highest = 0
  const watch = async (page: WatchedPage) => {
    highest = Math.max(highest, await page.heapBytes())
  }
  try {
    const file = await site.sparseFile(Math.round(size))
    await site.run({ uploader: 'uppy-adaptive', endpoint: server.endpoint, file, watch })
    return highest
  } finally {
    await server.stop()
  }
}
