// Runs a program of the tests from its sources and the engine's: one bundle, which its worker threads load too.
// node scripts/bundled.mjs test/simulation/main.ts [its arguments]
import { basename } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'vite'

const path = (relative) => fileURLToPath(new URL(`../${relative}`, import.meta.url))
const [entry = ''] = process.argv.splice(2, 1)
const name = basename(entry, '.ts')
const outDir = path(`node_modules/.cache/bundled/${name}`)

await build({
  root: path('.'),
  configFile: false,
  logLevel: 'error',
  ssr: { noExternal: true },
  build: {
    ...{ ssr: path(entry), outDir, emptyOutDir: true },
    ...{ target: 'node20', minify: false, sourcemap: true },
  },
})
process.setSourceMapsEnabled(true)
await import(pathToFileURL(`${outDir}/${name}.js`).href)
