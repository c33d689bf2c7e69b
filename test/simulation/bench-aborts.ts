// How often the engine ends what is alive: npm run bench:aborts -- --help

import { countFrom, parseFlags } from '../bench/bench-flags.js'
import { readTraces } from '../bench/predictor/link-trace.js'
import { syntheticLinks } from '../bench/predictor/synthetic-links.js'
import { putBetween } from '../bench/report.js'
import { seededRandom } from '../support/links/seeded-random.js'
import type { FalseAborts } from './false-aborts.js'
import { countFalseAborts } from './false-aborts.js'
import { harshLinks } from './harsh-links.js'

const HOUR_MS = 3_600_000
const SERVERS = [1, 3]
/** With one server: at most one in so much live transfer over all links. */
const GOAL_HOURS = 10
const DOCUMENT = 'docs/engine-benchmarks.md'
const MARKS = { begin: '<!-- aborts: npm run bench:aborts -- --markdown -->', end: '<!-- end of aborts -->' }

const USAGE = `npm run bench:aborts -- [--traces DIR] [--hours N] [--servers N] [--seed N] [--markdown]
  --traces DIR   recorded links, CSV: start_ms,dur_ms,mbps (default ../shared/traces; synthetic ones are always there)
  --hours N      live transfer over all links together, 1 to 1000 (default 10), to one server, and as much to three
  --servers N    to so many alone, 1 to 3
  --seed N       what all randomness comes from (default 1)
  --markdown     puts the table into ${DOCUMENT}`

const FLAGS = {
  traces: { type: 'string' },
  hours: { type: 'string' },
  servers: { type: 'string' },
  seed: { type: 'string' },
  markdown: { type: 'boolean' },
  help: { type: 'boolean' },
} as const

function rowOf({ link, servers, uploads, liveMs, reconnects, takeOvers, ...cost }: FalseAborts): string {
  const ended = reconnects + takeOvers
  const each = (ms: number) => (ended > 0 ? (ms / ended / 1_000).toFixed(1) : '')
  const costs = [each(cost.silentMs), each(cost.waitedMs), Math.round(cost.resentBytes / 1_000)]
  return `| ${[link, servers, uploads, (liveMs / HOUR_MS).toFixed(1), reconnects, takeOvers, ...costs].join(' | ')} |`
}

function tableOf(rows: readonly FalseAborts[]): string {
  const head =
    '| Link | Servers | Uploads | Live hours | Reconnects | Take-overs | Silent before, s | And after, s | Sent twice, kB |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |'
  return `${head}\n${rows.map(rowOf).join('\n')}`
}

function sumOf(rows: readonly FalseAborts[], servers: number): FalseAborts {
  const own = rows.filter((row) => row.servers === servers)
  const sum = (of: (row: FalseAborts) => number) => own.reduce((total, row) => total + of(row), 0)
  return {
    ...{ link: 'all', servers, uploads: sum((row) => row.uploads), liveMs: sum((row) => row.liveMs) },
    ...{ reconnects: sum((row) => row.reconnects), takeOvers: sum((row) => row.takeOvers) },
    ...{ silentMs: sum((row) => row.silentMs), waitedMs: sum((row) => row.waitedMs) },
    resentBytes: sum((row) => row.resentBytes),
  }
}

/** Returns whether what is to be reached is. */
async function main(): Promise<boolean> {
  const given = parseFlags(process.argv.slice(2), FLAGS, USAGE)
  if (given.help) {
    console.log(USAGE)
    return true
  }
  const hours = countFrom(given.hours, { flag: '--hours', least: 1, most: 1_000, otherwise: 10, usage: USAGE })
  const seed = countFrom(given.seed, { flag: '--seed', least: 0, most: 1_000_000, otherwise: 1, usage: USAGE })
  const servers = { flag: '--servers', least: 1, most: 3, otherwise: 1, usage: USAGE }
  const groups = given.servers === undefined ? SERVERS : [countFrom(given.servers, servers)]
  const links = [
    ...syntheticLinks(seededRandom(`${seed}/links`)),
    ...harshLinks(seededRandom(`${seed}/harsh`)),
    ...(await readTraces(given.traces ?? '../shared/traces')),
  ]
  const rows: FalseAborts[] = []
  for (const group of groups) {
    for (const link of links) {
      const random = seededRandom(`${seed}/${link.name}/${group}`)
      const row = await countFalseAborts(link, {
        servers: group,
        liveMs: (hours * HOUR_MS) / links.length,
        random,
        seed,
      })
      console.error(rowOf(row))
      rows.push(row)
    }
  }
  const sums = groups.map((group) => sumOf(rows, group))
  const text = `seed ${seed}, ${hours} hours of live transfer over ${links.length} links\n\n${tableOf([...rows, ...sums])}`
  console.log(text)
  if (given.markdown) await putBetween(DOCUMENT, MARKS, text)
  const alone = sums.find((sum) => sum.servers === 1)
  const allowed = alone ? Math.ceil(alone.liveMs / HOUR_MS / GOAL_HOURS) : 0
  return alone === undefined || alone.reconnects + alone.takeOvers <= allowed
}

process.exitCode = (await main()) ? 0 : 1
