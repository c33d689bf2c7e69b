import { createHash } from 'node:crypto'
import { access, mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const DEMO = fileURLToPath(new URL('..', import.meta.url))
const PAGE = join(DEMO, 'page')

/**
 * Builds the page, unless what it is made of has been built before; returns the folder. What is half made has another
 * name and is taken away.
 */
export async function buildPage(signal: AbortSignal): Promise<string> {
  const folder = join(DEMO, 'dist', 'page', await fingerprint())
  if (await exists(folder)) return folder
  const partial = `${folder}.${process.pid}.partial`
  await mkdir(dirname(partial), { recursive: true })
  try {
    // loaded only when it is needed: it takes a second
    const { build } = await import('vite')
    await build({
      root: PAGE,
      configFile: false,
      logLevel: 'warn',
      base: './',
      build: { outDir: partial, emptyOutDir: true, target: 'es2022', chunkSizeWarningLimit: 2_000 },
    })
    signal.throwIfAborted()
    await rename(partial, folder)
  } catch (error) {
    // another run may have been faster
    if (!(await exists(folder)) || signal.aborted) throw error
  } finally {
    await rm(partial, { recursive: true, force: true })
  }
  return folder
}

/** Of the page's sources and of every file of the packages that it loads from this workspace. */
async function fingerprint(): Promise<string> {
  const require = createRequire(import.meta.url)
  const built = ['uppy-adaptive', 'tus-reconcile-protocol'].map((name) => dirname(require.resolve(name)))
  const hash = createHash('sha256')
  for (const folder of [join(PAGE), ...built]) {
    for (const path of await listFiles(folder)) hash.update(`${path}\0`).update(await readFile(path))
  }
  const lock = join(DEMO, 'package.json')
  return hash
    .update(await readFile(lock))
    .digest('hex')
    .slice(0, 16)
}

async function listFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true })
  const paths = names.filter((name) => /\.(ts|js|css|html)$/.test(name) && !name.endsWith('.test.ts')).sort()
  const facts = await Promise.all(paths.map(async (name) => ((await stat(join(folder, name))).isFile() ? [name] : [])))
  return facts.flat().map((name) => join(folder, name))
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
