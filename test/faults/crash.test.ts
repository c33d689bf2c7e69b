import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { runCrashRounds } from './crash-rounds.js'

// by hand: node test/faults/run.mjs --rounds 1000 --seed 7
const rounds = Number(process.env.CRASH_ROUNDS ?? 20)
const seed = Number(process.env.CRASH_SEED ?? 1)

const RULE =
  'After its process was killed at any moment and started again, a server MUST still know each offset, verified block and commit that it has told'

test(
  `P160: ${RULE} (${rounds} rounds of seed ${seed})`,
  async () => {
    expect(await readFile(new URL('../../docs/protocol.md', import.meta.url), 'utf8')).toContain(`**P160** ${RULE}.\n`)
    const figures = await runCrashRounds(rounds, seed, (line) => console.info(line))
    console.info(`${JSON.stringify(figures)}, seed ${seed}`)
    // a run in which nothing was acknowledged would prove nothing
    expect(figures.acknowledgedBytes).toBeGreaterThan(0)
    expect(figures.verifiedBlocks).toBeGreaterThan(0)
  },
  60_000 + rounds * 30_000,
)
