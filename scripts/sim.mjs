// Runs test/simulation from its sources and the engine's: one bundle, which its worker threads load too.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const path = (relative) => fileURLToPath(new URL(`../${relative}`, import.meta.url))
const outDir = path('node_modules/.cache/simulation')

await build({
  root: path('.'),
  configFile: false,
  logLevel: 'error',
  ssr: { noExternal: true },
  build: {
    ssr: path('test/simulation/main.ts'),
    outDir,
    emptyOutDir: true,
    target: 'node20',
    minify: false,
    sourcemap: true,
  },
})
const { status } = spawnSync(
  process.execPath,
  ['--enable-source-maps', `${outDir}/main.js`, ...process.argv.slice(2)],
  { stdio: 'inherit' },
)
process.exitCode = status ?? 1
