// Rounds of the crash harness by hand: node test/faults/run.mjs --rounds 1000 --seed 7
import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '1000' }, seed: { type: 'string', default: String(Date.now()) } },
})
// what a failed round leaves is looked at by people
const vitest = fileURLToPath(new URL('../../scripts/vitest.mjs', import.meta.url))
const child = spawn(process.execPath, [vitest, 'run', '--project', 'faults', '--disable-console-intercept'], {
  stdio: 'inherit',
  env: { ...process.env, CRASH_ROUNDS: values.rounds, CRASH_SEED: values.seed, CRASH_DIRECTORY: tmpdir() },
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
child.on('exit', (code) => process.exit(code ?? 1))
