// Runs vitest with a temporary folder and a process group of its own, so that an interrupt leaves neither files nor processes.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** After an interrupt vitest and what its tests started get this long to end by themselves. */
const GRACE_MS = 3_000

const root = fileURLToPath(new URL('..', import.meta.url))
const temporary = mkdtempSync(join(tmpdir(), 'uppy-adaptive-test-'))
const vitest = join(root, 'node_modules/vitest/vitest.mjs')
const child = spawn(process.execPath, [vitest, ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  detached: true,
  env: { ...process.env, TMPDIR: temporary },
})

let interrupted = false
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    interrupted = true
    tell(signal)
    setTimeout(() => tell('SIGKILL'), GRACE_MS).unref()
  })
}

child.on('exit', (code) => {
  // a server that a test started and did not end, or that an interrupt left, is of the same group
  tell('SIGKILL')
  rmSync(temporary, { recursive: true, force: true, maxRetries: 5 })
  process.exit(interrupted ? 130 : (code ?? 1))
})

function tell(signal) {
  try {
    process.kill(-child.pid, signal)
  } catch {
    // the group is gone
  }
}
