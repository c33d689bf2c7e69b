import { accessSync, constants, readFileSync, statSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { parseTrace, type Trace } from 'reconcile-test-support/links/trace'

export const SCENARIO_NAMES = ['clean', 'degrade', 'blackout', 'kill', 'lastmile'] as const
export type ScenarioName = (typeof SCENARIO_NAMES)[number]

export interface DemoOptions {
  readonly headless: boolean
  readonly scenario: ScenarioName
  /** The scenario was named: without --headless links go bad by script only then. */
  readonly scripted: boolean
  readonly seed: number
  readonly servers: 1 | 3
  /** The file to upload; undefined: a random one of `sizeBytes`. */
  readonly file: string | undefined
  readonly sizeBytes: number
  /** What the last mile follows; undefined: one rate. */
  readonly trace: Trace | undefined
  /** The page speaks HTTP/2 in TLS to the servers. */
  readonly http2: boolean
  /** Where servers keep their files; undefined: temporary. */
  readonly directory: string | undefined
  readonly json: string | undefined
  readonly events: string | undefined
  readonly screenshot: string | undefined
}

/** A flag is wrong: one sentence that names it and says what to do. */
export class FlagError extends Error {}

const DEFAULT_SIZE_BYTES = 64_000_000
const UNITS: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
}
const HEADLESS_ONLY = ['file', 'size', 'http2', 'json', 'events', 'screenshot'] as const

/** @returns undefined when only help was asked for. @throws FlagError */
export function parseDemoOptions(argv: readonly string[]): DemoOptions | undefined {
  const command = createCommand()
  try {
    command.parse([...argv], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return undefined
    throw new FlagError(`${error.message.replace(/^error: /, '').replace(/\.$/, '')} (--help lists the flags)`)
  }
  return resolveOptions(command.opts<RawOptions>())
}

interface RawOptions {
  headless?: boolean
  scenario?: ScenarioName
  seed: number
  servers: 1 | 3
  file?: string
  size?: number
  trace?: string
  http2?: boolean
  directory?: string
  json?: string
  events?: string
  screenshot?: string
}

function createCommand(): Command {
  return new Command('npm run demo --')
    .description('Uploads a file to three servers while their links go bad, and shows what the uploader does about it')
    .option('--headless', 'upload in headless Chromium under a script and print a verdict, instead of serving the page')
    .option('--file <path>', 'file to upload (with --headless; default: a random one)')
    .option('--size <bytes>', 'size of the random file, such as 64MB (with --headless; default: 64MB)', parseSize)
    .option('--scenario <name>', `what happens to the links: ${SCENARIO_NAMES.join(', ')} (default: degrade)`, scenario)
    .option('--seed <n>', 'moves every moment of the scenario, and whom it hits', parseSeed, 1)
    .option('--servers <n>', '3, or 1 for a primary without mirrors', servers, 3)
    .option('--trace <file>', 'what the last mile lets through: start_ms,dur_ms,mbps with that head line, or Mahimahi')
    .option('--http2', 'the page speaks HTTP/2 in TLS to the servers (with --headless)')
    .option('--directory <dir>', 'where the servers keep their files (default: temporary, removed at the end)')
    .option('--json <file>', 'write the verdict as JSON (with --headless)')
    .option('--events <file>', 'write every event as NDJSON (with --headless)')
    .option('--screenshot <file.png>', 'picture of the page in mid-upload, and -end.png at the end (with --headless)')
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
}

function resolveOptions(raw: RawOptions): DemoOptions {
  const headless = raw.headless ?? false
  for (const name of HEADLESS_ONLY) {
    if (!headless && raw[name] !== undefined) {
      throw new FlagError(`--${name} needs --headless: add it, or leave --${name} out and choose a file in the page`)
    }
  }
  for (const name of ['file', 'trace', 'directory', 'json', 'events', 'screenshot'] as const)
    refuseFlagAsValue(name, raw[name])
  const scenario = raw.scenario ?? 'degrade'
  if (scenario === 'blackout' && raw.servers === 1) {
    throw new FlagError('--scenario blackout needs mirrors to finish through: use --servers 3, or another scenario')
  }
  if (raw.file !== undefined && raw.size !== undefined) {
    throw new FlagError('--size is the size of a random file, and --file names one: leave one of them out')
  }
  const sizeBytes = raw.file === undefined ? (raw.size ?? DEFAULT_SIZE_BYTES) : sizeOfFile(raw.file)
  for (const name of ['json', 'events', 'screenshot'] as const) checkParent(name, raw[name])
  if (raw.screenshot !== undefined && !raw.screenshot.endsWith('.png')) {
    throw new FlagError(`--screenshot ${raw.screenshot} must end in .png`)
  }
  return {
    ...{ headless, scenario, scripted: raw.scenario !== undefined, seed: raw.seed, servers: raw.servers, sizeBytes },
    trace: raw.trace === undefined ? undefined : readTrace(raw.trace),
    http2: raw.http2 ?? false,
    file: absolute(raw.file),
    directory: absolute(raw.directory),
    json: absolute(raw.json),
    events: absolute(raw.events),
    screenshot: absolute(raw.screenshot),
  }
}

function absolute(path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(path)
}

function refuseFlagAsValue(name: string, value: string | undefined): void {
  if (value === undefined || (value.trim() !== '' && !value.startsWith('--'))) return
  throw new FlagError(`--${name} has no value (${value === '' ? 'it is empty' : `${value} follows`}): name a path`)
}

function sizeOfFile(path: string): number {
  try {
    accessSync(path, constants.R_OK)
    const facts = statSync(path)
    if (facts.isFile()) return facts.size
  } catch (error) {
    throw new FlagError(`--file ${path} cannot be read (${codeOf(error)}): name a file that can`)
  }
  throw new FlagError(`--file ${path} is no file: name one, not a folder`)
}

function readTrace(path: string): Trace {
  try {
    return parseTrace(basename(path), readFileSync(path, 'utf8'))
  } catch (error) {
    if (error instanceof RangeError) throw new FlagError(`--trace ${path} is no trace: ${error.message}`)
    throw new FlagError(`--trace ${path} cannot be read (${codeOf(error)}): name a file that can`)
  }
}

function checkParent(name: string, path: string | undefined): void {
  if (path === undefined) return
  const parent = resolve(path, '..')
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) throw new Error('it is a folder')
    accessSync(parent, constants.W_OK)
  } catch (error) {
    throw new FlagError(`--${name} ${path} cannot be written (${codeOf(error)}): name a file in a writable folder`)
  }
}

function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error) return String(error.code)
  return error instanceof Error ? error.message : String(error)
}

function scenario(text: string): string {
  if (SCENARIO_NAMES.some((name) => name === text)) return text
  throw new InvalidArgumentError(`It is one of ${SCENARIO_NAMES.join(', ')}.`)
}

function parseSeed(text: string): number {
  const seed = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(seed)) return seed
  throw new InvalidArgumentError('It is a whole number from 0, such as 1.')
}

function servers(text: string): number {
  if (text === '1' || text === '3') return Number(text)
  throw new InvalidArgumentError('It is 1 or 3.')
}

function parseSize(text: string): number {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim()) ?? []
  const factor = unit === '' ? 1 : UNITS[unit.toLowerCase()]
  const bytes = Math.round(Number(digits) * (factor ?? Number.NaN))
  if (digits !== '' && bytes >= 1 && Number.isSafeInteger(bytes)) return bytes
  throw new InvalidArgumentError('It is a number of bytes from 1, such as 64000000, 64MB or 2GB.')
}
