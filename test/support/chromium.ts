import { execFile } from 'node:child_process'
import { access, constants, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A Chromium that can be started here. */
export type Chromium = {
  readonly executablePath: string
  /** Added to the environment it is started with. */
  readonly env: Readonly<Record<string, string>>
  readonly origin: 'CHROME_PATH' | 'installed' | 'npm'
}

export type ChromiumSearch = {
  /** Default `process.env`. */
  readonly env?: NodeJS.ProcessEnv
  /** Ends the search, also in the middle of unpacking, and leaves nothing half made. */
  readonly signal?: AbortSignal
  /** Called before something that takes seconds. */
  readonly onSlow?: (message: string) => void
}

/** What every start of it gets (TOOLCHAIN: tried). */
export const CHROMIUM_FLAGS: readonly string[] = [
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--no-default-browser-check',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-quic',
]

/** For the loud skip, and for the error in CI. */
export const NO_CHROMIUM =
  'no Chromium here: set CHROME_PATH to a Chrome or Chromium, or install one; the one from npm runs on Linux x64 only'

const INSTALLED_NAMES = ['google-chrome-stable', 'google-chrome', 'chromium', 'chromium-browser', 'chrome']
const INSTALLED_PATHS = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
  'C:\\Program Files (x86)\\Google\\Chrome\\Application\\chrome.exe',
]
/** A guess: a cold disk needs a few seconds to load 180 MB. */
const VERSION_TIMEOUT_MS = 30_000
/** Measured: 4 s on two cores. */
const UNPACK_TIMEOUT_MS = 180_000
/** What another run left half made is taken away after this (guess). */
const ABANDONED_MS = 3_600_000

/**
 * Finds a Chromium: `CHROME_PATH`, else an installed one, else the one in @sparticuz/chromium, unpacked once under
 * `node_modules/.cache`. Undefined when there is none: the caller skips, loudly.
 *
 * @throws Error when `CHROME_PATH` names no program; with `CI` set also when there is none at all
 */
export async function findChromium(search: ChromiumSearch = {}): Promise<Chromium | undefined> {
  const env = search.env ?? process.env
  const found = (await fromEnvironment(env)) ?? (await installed(env)) ?? (await fromNpm(search))
  if (found === undefined && (env.CI ?? '') !== '') throw new Error(NO_CHROMIUM)
  return found
}

async function fromEnvironment(env: NodeJS.ProcessEnv): Promise<Chromium | undefined> {
  const path = env.CHROME_PATH
  if (path === undefined || path === '') return undefined
  if (!(await isProgram(path))) {
    throw new Error(`CHROME_PATH is ${JSON.stringify(path)}, which is no program: correct it, or unset it`)
  }
  return { executablePath: path, env: {}, origin: 'CHROME_PATH' }
}

async function installed(env: NodeJS.ProcessEnv): Promise<Chromium | undefined> {
  const folders = (env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  const candidates = INSTALLED_NAMES.flatMap((name) => folders.map((folder) => join(folder, name)))
  for (const path of [...candidates, ...INSTALLED_PATHS]) {
    // a snap's stand-in is a program that only asks to install the snap: it names no version
    if ((await isProgram(path)) && (await namesVersion(path, {}))) {
      return { executablePath: path, env: {}, origin: 'installed' }
    }
  }
  return undefined
}

async function fromNpm(search: ChromiumSearch): Promise<Chromium | undefined> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined
  const packaged = await locatePackage()
  if (packaged === undefined) return undefined
  const cache = fileURLToPath(new URL('../../node_modules/.cache/uppy-adaptive', import.meta.url))
  const folder = join(cache, `chromium-${packaged.version}`)
  if (!(await exists(folder))) await unpack({ cache, folder, modulePath: packaged.modulePath, search })
  const executablePath = join(folder, 'chromium')
  const env = await fontEnvironment(folder)
  if (await namesVersion(executablePath, env)) return { executablePath, env, origin: 'npm' }
  const own = { ...env, LD_LIBRARY_PATH: join(folder, 'al2023', 'lib') }
  return (await namesVersion(executablePath, own)) ? { executablePath, env: own, origin: 'npm' } : undefined
}

async function locatePackage(): Promise<{ modulePath: string; version: string } | undefined> {
  try {
    const path = createRequire(import.meta.url).resolve('@sparticuz/chromium')
    const version = /chromium@(\d+(?:\.\d+)*)/.exec(path)?.[1] ?? String(Math.round((await stat(path)).mtimeMs))
    return { modulePath: path, version }
  } catch {
    return undefined
  }
}

/** The package unpacks to the system's temporary folder: a child of ours has its own, which then gets its name. */
async function unpack(o: { cache: string; folder: string; modulePath: string; search: ChromiumSearch }): Promise<void> {
  const { signal, onSlow } = o.search
  onSlow?.('unpacking Chromium from npm, once (about 5 s) ...')
  await mkdir(o.cache, { recursive: true })
  await removeAbandoned(o.cache)
  const partial = `${o.folder}.${process.pid}-${Date.now()}.partial`
  await mkdir(partial)
  try {
    const script = `const all = require(${JSON.stringify(o.modulePath)}); (all.default ?? all).executablePath()`
    // AWS_EXECUTION_ENV makes it unpack the libraries that a bare system lacks
    const env = { ...process.env, TMPDIR: partial, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs20.x' }
    const options = { env, timeout: UNPACK_TIMEOUT_MS, ...(signal === undefined ? {} : { signal }) }
    await run(process.execPath, ['--input-type=commonjs', '--eval', script], options)
    await writeFile(join(partial, 'fonts.conf'), fontConfiguration(o.folder))
    await rename(partial, o.folder)
  } catch (error) {
    // another process may have been faster: its folder is as good
    if (!(await exists(o.folder)) || signal?.aborted === true) throw error
  } finally {
    await rm(partial, { recursive: true, force: true })
  }
}

async function removeAbandoned(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    const path = join(cache, name)
    const age = Date.now() - ((await stat(path).catch(() => undefined)) ?? { mtimeMs: Date.now() }).mtimeMs
    if (name.endsWith('.partial') && age > ABANDONED_MS) await rm(path, { recursive: true, force: true })
  }
}

/** A system without any font configuration gets the package's own font. */
async function fontEnvironment(folder: string): Promise<Record<string, string>> {
  if (await exists('/etc/fonts/fonts.conf')) return {}
  return { FONTCONFIG_FILE: join(folder, 'fonts.conf') }
}

function fontConfiguration(folder: string): string {
  return [
    '<?xml version="1.0"?>',
    '<!DOCTYPE fontconfig SYSTEM "fonts.dtd">',
    `<fontconfig><dir>${folder}/fonts</dir><cachedir>${folder}/fonts-cache</cachedir></fontconfig>`,
    '',
  ].join('\n')
}

async function namesVersion(path: string, env: Readonly<Record<string, string>>): Promise<boolean> {
  try {
    const text = await run(path, ['--version'], { env: { ...process.env, ...env }, timeout: VERSION_TIMEOUT_MS })
    return /chrom/i.test(text)
  } catch {
    return false
  }
}

function run(
  path: string,
  args: readonly string[],
  options: { env: NodeJS.ProcessEnv; timeout: number; signal?: AbortSignal },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(path, [...args], { ...options, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      const reason = stderr.split('\n').find((line) => /error/i.test(line)) ?? error?.message
      if (error) reject(new Error(`${path}: ${reason}`, { cause: error }))
      else resolve(stdout)
    })
    child.stdin?.end()
  })
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

/** Where `node_modules/.cache` keeps what was unpacked, for messages. */
export function cacheFolderOf({ executablePath }: Chromium): string {
  return dirname(executablePath)
}
