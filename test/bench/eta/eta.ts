// How often an upload's end comes within the interval that `progress` says: npm run bench:eta -- --help
import { writeFile } from 'node:fs/promises'
import { seededRandom } from 'reconcile-test-support/links/seeded-random'
import { readTraces } from '../predictor/link-trace.js'
import { syntheticLinks } from '../predictor/synthetic-links.js'
import { putBetween } from '../report.js'
import type { EtaCoverage } from './eta-coverage.js'
import { measureEta } from './eta-coverage.js'
import { parseEtaOptions } from './eta-options.js'

const MARKS = { begin: '<!-- eta: npm run bench:eta -- --markdown -->', end: '<!-- end of eta -->' }

/** All links together, each question counted once. */
function overall(rows: readonly EtaCoverage[]): EtaCoverage {
  const asked = rows.reduce((sum, row) => sum + row.asked, 0)
  const mean = (of: (row: EtaCoverage) => number) => rows.reduce((sum, row) => sum + of(row) * row.asked, 0) / asked
  return {
    ...{ link: 'all', asked },
    ...{ within: mean((row) => row.within), earlier: mean((row) => row.earlier), later: mean((row) => row.later) },
    width: mean((row) => row.width),
  }
}

function tableOf(rows: readonly EtaCoverage[]): string {
  const lines = rows.map(({ link, asked, ...row }) => {
    const shares = [row.within, row.earlier, row.later].map((share) => share.toFixed(2))
    return `| ${[link, asked, ...shares, row.width.toFixed(2)].join(' | ')} |`
  })
  const head =
    '| Link | Asked | Within | Earlier | Later | Latest over earliest |\n| --- | ---: | ---: | ---: | ---: | ---: |'
  return `${head}\n${lines.join('\n')}`
}

async function main(): Promise<void> {
  const options = parseEtaOptions(process.argv.slice(2))
  if (!options) return
  const { seed, uploads, traces, json, markdown } = options
  const links = [...syntheticLinks(seededRandom(`${seed}/links`)), ...(await readTraces(traces))]
  const rows = links.map((link) => measureEta(link, { uploads, random: seededRandom(`${seed}/${link.name}`) }))
  const all = [...rows, overall(rows)]
  const text = `${uploads} uploads per link, seed ${seed}\n\n${tableOf(all)}`
  console.log(text)
  if (json !== undefined) await writeFile(json, `${JSON.stringify({ seed, uploads, rows: all }, undefined, 2)}\n`)
  if (markdown !== undefined) await putBetween(markdown, MARKS, text)
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
})
