// Runs the pnpm that package.json names, through npx, so that a machine needs Node and npm only.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'

const { packageManager } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
// npm's own npm_config_* settings reach child processes; some of them are not pnpm's and only make it warn
const env = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^npm_config_(?!cafile|registry|cache|userconfig|globalconfig|prefix)/i.test(name),
  ),
)
const child = spawn('npx', ['--yes', packageManager, ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: { ...env, npm_config_yes: 'true' },
  shell: process.platform === 'win32',
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)))
