// What the server costs, against plain @tus/server in the same run: npm run bench:server -- --help
import { writeFile } from 'node:fs/promises'
import { parseBenchOptions } from './bench-options.js'
import { BenchProcess } from './calls.js'
import type { Cell } from './cells/cell.js'
import { commit } from './cells/commit.js'
import { eventStreams } from './cells/event-streams.js'
import { knownBlocks } from './cells/known-blocks.js'
import { lockWait } from './cells/lock-wait.js'
import { openSessions } from './cells/open-sessions.js'
import { throughput } from './cells/throughput.js'
import type { Figure } from './figures.js'
import { describeMachine } from './machine.js'
import { figureLine, machineLine, type Report, writeMarkdown } from './report.js'

const CELLS: readonly Cell[] = [throughput, commit, lockWait, openSessions, eventStreams, knownBlocks]

async function main(): Promise<void> {
  const options = parseBenchOptions(process.argv.slice(2))
  if (!options) return
  const machine = describeMachine()
  const began = performance.now()
  const figures: Figure[] = []
  for (const cell of CELLS.filter(({ name }) => name.includes(options.only))) {
    const clients = new BenchProcess('client-process')
    const found = await cell.run({ ...options, clients })
    await clients.stop()
    for (const figure of found) console.log(figureLine(figure))
    figures.push(...found)
  }
  const { rounds, quick } = options
  const seconds = (performance.now() - began) / 1000
  const report: Report = { date: new Date().toISOString().slice(0, 10), machine, rounds, quick, seconds, figures }
  console.log(machineLine(report))
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(report, undefined, 2)}\n`)
  if (options.markdown !== undefined) await writeMarkdown(options.markdown, { command: 'bench:server', report })
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
})
