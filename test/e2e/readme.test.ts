import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cp, mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { startReconcileServers } from '../support/reconcile-servers.js'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function snippetsOf(file: string): Promise<string[]> {
  const text = await readFile(join(ROOT, file), 'utf8')
  return [...text.matchAll(/```js\n([\s\S]*?)```/g)].map((match) => match[1] ?? '')
}

/** A folder from which packages resolve as they do for a user of the workspace. */
async function folderWithPackages(): Promise<string> {
  const cache = join(ROOT, 'test/node_modules/.cache')
  await mkdir(cache, { recursive: true })
  const path = await mkdtemp(join(cache, 'readme-'))
  cleanups.push(() => rm(path, { recursive: true, force: true }))
  return path
}

async function oneServer(): Promise<string> {
  const started = await startReconcileServers({ count: 1 })
  cleanups.push(() => started.close())
  return started.servers[0]?.endpoint ?? ''
}

/** Runs a snippet with the made-up names in it replaced by real ones, and `after` behind it. */
async function runSnippet(code: string, o: { endpoint: string; after?: string }): Promise<string> {
  const folder = await folderWithPackages()
  await writeFile(join(folder, 'film.mp4'), randomBytes(600_000))
  const real = code
    .replaceAll('https://up.example.com/files', o.endpoint)
    .replaceAll('https://eu.example.com/files', 'http://127.0.0.1:9/eu')
    .replaceAll('https://us.example.com/files', 'http://127.0.0.1:9/us')
    .replaceAll('port: 1080', 'port: 0')
  await writeFile(join(folder, 'snippet.mjs'), `${real}\n${o.after ?? ''}\n`)
  const { stdout } = await run(process.execPath, ['snippet.mjs'], { cwd: folder })
  return stdout
}

describe('the README is true', () => {
  it('its Uppy snippets make an Uppy with our uploader', async () => {
    const [first = '', withMirrors = ''] = await snippetsOf('README.md')
    const after =
      "console.log(uppy.getPlugin('AdaptiveTus').opts.endpoint, uppy.getState().capabilities.resumableUploads)"
    expect(await runSnippet(first, { endpoint: 'http://127.0.0.1:9/files', after })).toBe(
      'http://127.0.0.1:9/files true\n',
    )
    const second = `import Uppy from '@uppy/core'\nimport AdaptiveTus from 'uppy-adaptive'\nconst uppy = new Uppy()\n${withMirrors}`
    const mirrors = "console.log(uppy.getPlugin('AdaptiveTus').opts.mirrors.length)"
    expect(await runSnippet(second, { endpoint: 'http://127.0.0.1:9/files', after: mirrors })).toBe('2\n')
  })

  it('its server snippet starts a server that announces the extension', async () => {
    const code = ((await snippetsOf('README.md'))[2] ?? '').replace('server.listen(', 'const http = server.listen(')
    const after = `
      await new Promise((resolve) => http.once('listening', resolve))
      const answer = await fetch('http://127.0.0.1:' + http.address().port + '/files', { method: 'OPTIONS' })
      console.log(answer.headers.get('tus-extension'))
      process.exit(0)`
    expect(await runSnippet(code, { endpoint: '', after })).toContain('reconcile-1')
  })

  for (const file of ['README.md', 'packages/uppy-adaptive/README.md']) {
    it(`${file}: its upload snippet uploads`, async () => {
      const endpoint = await oneServer()
      const code = (await snippetsOf(file)).find((snippet) => snippet.includes('AdaptiveUpload(')) ?? ''
      expect(await runSnippet(code, { endpoint, after: 'console.log(url)' })).toContain(`${endpoint}/`)
    })
  }

  it('its links lead somewhere', async () => {
    const text = await readFile(join(ROOT, 'README.md'), 'utf8')
    const targets = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map((match) => match[1] ?? '')
    expect(targets.length).toBeGreaterThan(5)
    for (const target of targets) await expect(realpath(join(ROOT, target))).resolves.toBeTruthy()
  })
})

describe('an install without any @uppy package', () => {
  it('uploads a path and a Buffer with uppy-adaptive/upload', async () => {
    const endpoint = await oneServer()
    const folder = await mkdtemp(join(tmpdir(), 'no-uppy-'))
    cleanups.push(() => rm(folder, { recursive: true, force: true }))
    await installWithoutUppy(folder)
    await writeFile(join(folder, 'film.mp4'), randomBytes(400_000))
    await writeFile(
      join(folder, 'main.mjs'),
      `import { AdaptiveUpload } from 'uppy-adaptive/upload'
       const found = await import('@uppy/core').then(() => 'yes', () => 'no')
       const path = await new AdaptiveUpload({ path: './film.mp4' }, { endpoint: '${endpoint}' }).start()
       const bytes = await new AdaptiveUpload(Buffer.alloc(300_000, 7), { endpoint: '${endpoint}' }).start()
       console.log(JSON.stringify({ uppy: found, sizes: [path.size, bytes.size] }))`,
    )
    const { stdout } = await run(process.execPath, ['main.mjs'], { cwd: folder })
    expect(JSON.parse(stdout)).toEqual({ uppy: 'no', sizes: [400_000, 300_000] })
  })
})

/** The built packages by copy, what they depend on by link: resolution meets no folder above that has @uppy in it. */
async function installWithoutUppy(folder: string): Promise<void> {
  const modules = join(folder, 'node_modules')
  const ours = {
    'uppy-adaptive': 'uppy-adaptive',
    'upload-predictor': 'predictor',
    'tus-reconcile-protocol': 'protocol',
  }
  for (const [name, directory] of Object.entries(ours)) {
    const from = join(ROOT, 'packages', directory)
    await cp(join(from, 'dist'), join(modules, name, 'dist'), { recursive: true })
    await cp(join(from, 'package.json'), join(modules, name, 'package.json'))
    for (const dependency of await readdir(join(from, 'node_modules')).catch(() => [])) {
      if (dependency.startsWith('@') || dependency.startsWith('.') || dependency in ours) continue
      const link = join(modules, dependency)
      await mkdir(dirname(link), { recursive: true })
      await symlink(await realpath(join(from, 'node_modules', dependency)), link).catch(
        (error: NodeJS.ErrnoException) => {
          if (error.code !== 'EEXIST') throw error
        },
      )
    }
  }
}
