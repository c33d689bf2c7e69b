import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { Command } from 'commander'
import type { PeerOptions, ReconcileOptions } from '../reconcile-options.js'
import type { RangeStoreOptions } from '../store/range-store-options.js'
import {
  DAY_MS,
  delayMs,
  FlagError,
  freeBytes,
  oneOf,
  peer,
  readSecrets,
  sizeBytes,
  timeMs,
  urlPath,
  wholeNumber,
} from './cli-values.js'
import { parseFlags } from './parse-flags.js'

export interface CliOptions {
  readonly directory: string
  readonly host: string
  readonly port: number
  readonly path: string
  readonly peers: readonly PeerOptions[]
  readonly secrets: readonly string[]
  /** Read again at SIGHUP. */
  readonly secretFile: string | undefined
  readonly durability: Durability
  readonly minFreeBytes: number | undefined
  readonly maxSize: number | undefined
  readonly expireMs: number
  /** How long it says that it is going to stop before it does. Milliseconds. */
  readonly drainDelayMs: number
  readonly commitAt: CommitAt
  /** Whether URLs in answers are made of what a proxy in front says about the client's own. */
  readonly behindProxy: boolean
  readonly log: 'json' | 'text'
}

type CommitAt = NonNullable<ReconcileOptions['commitAt']>
const COMMIT_PLACES: readonly CommitAt[] = ['home', 'any']
type Durability = NonNullable<RangeStoreOptions['durability']>
const DURABILITIES: readonly Durability[] = ['process', 'disk']

/** What the command answers itself, beside the endpoint. */
export const HEALTH_PATH = '/healthz'
export const METRICS_PATH = '/metrics'

/** @returns `undefined` when only help or the version was asked for. @throws FlagError */
export function parseCliOptions(argv: readonly string[]): CliOptions | undefined {
  const command = new Command('tus-reconcile-server')
    .version(ownVersion(), '--version', 'tell the version, and end')
    .description('A tus server that takes an upload in partitions, over several servers, and makes one file of them')
    .requiredOption('--directory <dir>', 'where uploads and records are kept')
    .option('--host <host>', 'address to listen on', '0.0.0.0')
    .option('--port <port>', 'port to listen on; 0 picks one', wholeNumber('--port', 65_535), 1080)
    .option('--path <path>', 'path of the endpoint', urlPath, '/files')
    .option(
      '--peer <url[,internal-url]>',
      'another server: public endpoint, and where this one reaches it; once for each',
      peer,
    )
    .option('--secret-file <file>', 'secrets shared with the peers, one a line; the first signs. SIGHUP reads it again')
    .option(
      '--durability <process|disk>',
      'what takes no acknowledged byte: the end of the process, or a power cut too',
      oneOf('--durability', DURABILITIES),
      'process',
    )
    .option('--min-free <size>', 'refuse bodies with less room on the disk; 0 for never (default: 64MiB)', freeBytes)
    .option('--max-size <size>', 'largest file: bytes, or with a unit such as 20GiB', sizeBytes('--max-size'))
    .option('--expire <time>', 'unfinished uploads end after it: seconds, or 30m, 7d (default: 1d)', timeMs('--expire'))
    .option('--drain-delay <time>', 'before it stops: say so in /healthz for this long (default: 0)', delayMs)
    .option(
      '--commit-at <home|any>',
      'where files are committed: at their home, or where a majority of all servers agrees; the same on all of them',
      oneOf('--commit-at', COMMIT_PLACES),
      'home',
    )
    .option('--behind-proxy', 'believe Forwarded and X-Forwarded-*: only where a proxy sets or clears all of them')
    .option('--log <json|text>', 'form of the log and of the ready line', oneOf('--log', ['json', 'text']), 'text')
    .option('--check <dir>', 'instead of serving: compare its records with its bytes, repair, tell, and end')
    .option('--dry-run', 'with --check: only tell')
  const raw = parseFlags<RawOptions>(command, argv, (sentence) => `${sentence} (--help lists the flags)`)
  return raw && resolve(raw)
}

function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return String(version)
}

interface RawOptions {
  directory: string
  host: string
  port: number
  path: string
  peer?: PeerOptions[]
  secretFile?: string
  durability: Durability
  minFree?: number
  maxSize?: number
  expire?: number
  drainDelay?: number
  commitAt: CommitAt
  behindProxy?: true
  log: 'json' | 'text'
  dryRun?: true
}

function resolve(raw: RawOptions): CliOptions {
  if (raw.dryRun) throw new FlagError('--dry-run goes with --check only')
  if (raw.directory.trim() === '') throw new FlagError('--directory is empty: name the folder that keeps the uploads')
  if (raw.directory.startsWith('--')) {
    throw new FlagError(`--directory has no value (${raw.directory} follows): name the folder that keeps the uploads`)
  }
  if (raw.path === HEALTH_PATH || raw.path === METRICS_PATH) {
    throw new FlagError(`--path ${raw.path} is taken by the command's own answers: choose another, such as /files`)
  }
  const secrets = raw.secretFile === undefined ? [] : readSecrets(raw.secretFile)
  checkPeers(raw, secrets)
  return {
    directory: raw.directory,
    host: raw.host,
    port: raw.port,
    path: raw.path,
    peers: raw.peer ?? [],
    secrets,
    secretFile: raw.secretFile,
    durability: raw.durability,
    minFreeBytes: raw.minFree,
    maxSize: raw.maxSize,
    expireMs: raw.expire ?? DAY_MS,
    drainDelayMs: raw.drainDelay ?? 0,
    commitAt: raw.commitAt,
    behindProxy: raw.behindProxy ?? false,
    log: raw.log,
  }
}

/** @throws FlagError unless peers can be called, each once, and none of them is this server */
function checkPeers(raw: RawOptions, secrets: readonly string[]): void {
  const peers = raw.peer ?? []
  if (peers.length > 0 && secrets.length === 0) {
    throw new FlagError('--peer needs --secret-file: a file with a secret of at least 16 characters, the same on all')
  }
  if (raw.commitAt === 'any' && peers.length < 2) {
    throw new FlagError('--commit-at any needs at least two --peer: of fewer than three servers, no majority is left')
  }
  const seen = new Set<string>()
  for (const { endpoint, internalEndpoint = endpoint } of peers) {
    for (const address of new Set([endpoint, internalEndpoint].map(addressOf))) {
      if (seen.has(address)) throw new FlagError(`--peer ${address} is given twice: name each server once`)
      seen.add(address)
    }
    if (isOwn(raw, internalEndpoint)) {
      throw new FlagError(`--peer ${internalEndpoint} is this server itself: name only the others`)
    }
  }
}

function addressOf(endpoint: string): string {
  return new URL(endpoint).href.replace(/\/$/, '')
}

/** Whether a URL leads to where this server is going to listen. Behind names and proxies that is not known here. */
function isOwn(raw: RawOptions, endpoint: string): boolean {
  const url = new URL(endpoint)
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80))
  if (url.protocol !== 'http:' || port !== raw.port || addressOf(endpoint) !== addressOf(`${url.origin}${raw.path}`)) {
    return false
  }
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (host === raw.host) return true
  const everywhere = raw.host === '0.0.0.0' || raw.host === '::'
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses?.map(({ address }) => address) ?? [])
  return (everywhere && own.includes(host)) || (host === 'localhost' && (everywhere || raw.host === '127.0.0.1'))
}
