// Runs test/simulation from its sources and the engine's: one bundle, which its worker threads load too.
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'vite'

const path = (relative) => fileURLToPath(new URL(`../${relative}`, import.meta.url))
const outDir = path('node_modules/.cache/simulation')

await build({
  root: path('.'),
  configFile: false,
  logLevel: 'error',
  ssr: { noExternal: true },
  build: {
    ...{ ssr: path('test/simulation/main.ts'), outDir, emptyOutDir: true },
    ...{ target: 'node20', minify: false, sourcemap: true },
  },
})
process.setSourceMapsEnabled(true)
await import(pathToFileURL(`${outDir}/main.js`).href)
