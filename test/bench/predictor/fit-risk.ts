// Fits the weights of the predictor's combination on made-up links: npm run fit:predictor [-- --links N --seed TEXT]
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { seededRandom } from 'reconcile-test-support/links/seeded-random'
import { type LogisticSample, RISK_AGES, RISK_FACTORS } from 'upload-predictor'
import { planFaults } from './faults.js'
import { fitNotNegative } from './logistic.js'
import { observeRun } from './observed-run.js'
import { trainingLink } from './training-links.js'

const FILE = 'packages/predictor/src/risk-weights.ts'
const DURATION_MS = 180_000
const STORES = [1, 2, 3]
const DIGITS = 2

/** By age: every session in flight then, its factors and whether it came to trouble. */
function samplesOf(seed: string, links: number): LogisticSample[][] {
  const samples: LogisticSample[][] = RISK_AGES.map(() => [])
  for (let link = 0; link < links; link++) {
    const trace = trainingLink(`made-up-${link}`, seededRandom(`${seed}/link/${link}`))
    for (const stores of STORES) {
      const random = seededRandom(`${seed}/run/${link}/${stores}`)
      const faults = planFaults({ random, stores, durationMs: DURATION_MS })
      const offsetMs = Math.floor(random() * trace.lengthMs)
      const o = { trace, run: link, stores, offsetMs, faults, durationMs: DURATION_MS, random, instants: RISK_AGES }
      for (const { session, instants } of observeRun(o).sessions) {
        for (const [age, { factors }] of instants.entries()) {
          if (factors) samples[age]?.push({ x: [1, ...factors], y: session.failed })
        }
      }
    }
  }
  return samples
}

/** By factor: the median of those that came to no trouble. */
function usualOf(samples: readonly LogisticSample[]): number[] {
  const healthy = samples.filter(({ y }) => !y).map(({ x }) => x.slice(1))
  return RISK_FACTORS.map((_, factor) => {
    const values = healthy.map((x) => x[factor] ?? 0).sort((a, b) => a - b)
    return rounded(values[Math.floor(values.length / 2)] ?? 0)
  })
}

function rounded(value: number): number {
  return Number(value.toFixed(DIGITS))
}

function moduleOf(o: { seed: string; links: number; samples: readonly LogisticSample[][] }): string {
  const rows = o.samples.map((samples) => fitNotNegative(samples).map(rounded))
  const counts = o.samples.map((samples) => `${samples.length}`).join(', ')
  return [
    `// Made by "npm run fit:predictor -- --links ${o.links} --seed ${o.seed}": maximum likelihood, no weight below 0, on ${o.links} made-up`,
    `// links with 1, 2 and 3 stores and faults laid over them (${counts} sessions). No recorded link was used.`,
    '/** Ages at which the weights were fitted: time since the start over the plan. */',
    `export const AGES: readonly number[] = [${RISK_AGES.join(', ')}]`,
    '',
    `/** By age: the constant, then a weight for each of \`FACTORS\`: ${RISK_FACTORS.join(', ')}. */`,
    'export const WEIGHTS: readonly (readonly number[])[] = [',
    ...rows.map((row) => `  [${row.join(', ')}],`),
    ']',
    '',
    '/** By age: what is usual of each of `FACTORS`, the median of the sessions that came to no trouble. */',
    'export const USUAL: readonly (readonly number[])[] = [',
    ...o.samples.map((samples) => `  [${usualOf(samples).join(', ')}],`),
    ']',
    '',
  ].join('\n')
}

const text = { type: 'string' } as const
const { values } = parseArgs({ options: { links: text, seed: text } })
const links = Number(values.links ?? 120)
const seed = values.seed ?? 'fit'
if (!Number.isInteger(links) || links < 1) throw new Error(`--links is a whole number above 0, not ${values.links}`)
const module = moduleOf({ seed, links, samples: samplesOf(seed, links) })
await writeFile(FILE, module)
console.log(module)
