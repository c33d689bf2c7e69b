// What an upload costs in a browser, against @uppy/tus in the same run: npm run bench:browser -- --help
import { writeFile } from 'node:fs/promises'
import { loadavg } from 'node:os'
import type { Figure } from '../figures.js'
import { describeMachine } from '../machine.js'
import { figureLine, machineLine, type Report, writeMarkdown } from '../report.js'
import { BROWSER_CELLS } from './browser-cells.js'
import { parseBrowserOptions } from './browser-options.js'
import { ComparisonSite } from './comparison-site.js'

async function main(): Promise<void> {
  const options = parseBrowserOptions(process.argv.slice(2))
  if (!options) return
  const { rounds, quick, seed, heapGb, only, json, markdown } = options
  const machine = describeMachine()
  const began = performance.now()
  const site = await ComparisonSite.open()
  const figures: Figure[] = []
  const loads: number[] = []
  try {
    for (const cell of BROWSER_CELLS.filter(({ name }) => name.includes(only))) {
      loads.push(loadavg()[0] ?? 0)
      const found = await cell.run({ site, rounds, quick, seed, heapGb })
      for (const figure of found) console.log(figureLine(figure))
      figures.push(...found)
    }
  } finally {
    await site.close()
  }
  const seconds = (performance.now() - began) / 1000
  const date = new Date().toISOString().slice(0, 10)
  const told = `${site.version}, seed ${seed}, load ${loads.map((load) => load.toFixed(1)).join(', ')} before each cell`
  const report: Report = { date, machine, rounds, quick, seconds, figures, told }
  console.log(machineLine(report))
  if (json !== undefined) await writeFile(json, `${JSON.stringify(report, undefined, 2)}\n`)
  if (markdown !== undefined) await writeMarkdown(markdown, { command: 'bench:browser', report })
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
})
