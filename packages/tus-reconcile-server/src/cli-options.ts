import { readFileSync } from 'node:fs'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import type { PeerOptions } from './reconcile.js'

export interface CliOptions {
  readonly directory: string
  readonly host: string
  readonly port: number
  readonly path: string
  readonly peers: readonly PeerOptions[]
  readonly secrets: readonly string[]
  readonly maxSize: number | undefined
  readonly expireMs: number
  readonly log: 'json' | 'text'
}

/** A flag is wrong: one sentence that names it and says what to do. */
export class FlagError extends Error {}

const MIN_SECRET = 16

/** @returns `undefined` when only help was asked for. @throws FlagError */
export function parseCliOptions(argv: readonly string[]): CliOptions | undefined {
  const command = new Command('tus-reconcile-server')
    .description('A tus server that takes an upload in partitions, over several servers, and makes one file of them')
    .requiredOption('--directory <dir>', 'where uploads and records are kept')
    .option('--host <host>', 'address to listen on', '0.0.0.0')
    .option('--port <port>', 'port to listen on; 0 picks one', wholeNumber('--port', 65_535), 1080)
    .option('--path <path>', 'path of the endpoint', urlPath, '/files')
    .option('--peer <url[,internal-url]>', 'another server: public endpoint, and where this one reaches it', peer, [])
    .option('--secret-file <file>', 'secrets shared with the peers, one a line; the first signs')
    .option('--max-size <bytes>', 'largest file', wholeNumber('--max-size', Number.MAX_SAFE_INTEGER))
    .option('--expire <seconds>', 'unfinished uploads end after this time', wholeNumber('--expire', 31_536_000), 86_400)
    .option('--log <json|text>', 'form of the log and of the ready line', logForm, 'text')
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
  try {
    command.parse([...argv], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return undefined
    throw new FlagError(
      `${error.message
        .replace(/^error: /, '')
        .replace(/\s*\n\s*/g, ' ')
        .replace(/\.$/, '')} (--help lists the flags)`,
    )
  }
  return resolve(command.opts<RawOptions>())
}

interface RawOptions {
  directory: string
  host: string
  port: number
  path: string
  peer: PeerOptions[]
  secretFile?: string
  maxSize?: number
  expire: number
  log: 'json' | 'text'
}

function resolve(raw: RawOptions): CliOptions {
  if (raw.directory.trim() === '') throw new FlagError('--directory is empty: name the folder that keeps the uploads')
  if (raw.directory.startsWith('--')) {
    throw new FlagError(`--directory has no value (${raw.directory} follows): name the folder that keeps the uploads`)
  }
  const secrets = raw.secretFile === undefined ? [] : readSecrets(raw.secretFile)
  if (raw.peer.length > 0 && secrets.length === 0) {
    throw new FlagError('--peer needs --secret-file: a file with a secret of at least 16 characters, the same on all')
  }
  if (raw.expire === 0) throw new FlagError('--expire 0 would end every upload at once: give seconds, such as 86400')
  return {
    directory: raw.directory,
    host: raw.host,
    port: raw.port,
    path: raw.path,
    peers: raw.peer,
    secrets,
    maxSize: raw.maxSize,
    expireMs: raw.expire * 1000,
    log: raw.log,
  }
}

function readSecrets(file: string): string[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    throw new FlagError(`--secret-file ${file} cannot be read (${code}): name a file that holds the shared secret`)
  }
  const secrets = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  if (secrets.length === 0) throw new FlagError(`--secret-file ${file} is empty: put a secret on its first line`)
  if (secrets.some((secret) => secret.length < MIN_SECRET)) {
    throw new FlagError(`--secret-file ${file} holds a secret of fewer than ${MIN_SECRET} characters: make it longer`)
  }
  return secrets
}

function wholeNumber(flag: string, most: number): (text: string) => number {
  return (text) => {
    const number = Number(text)
    if (/^\d+$/.test(text) && number <= most) return number
    throw new InvalidArgumentError(`${flag} is a whole number from 0 to ${most}.`)
  }
}

function urlPath(text: string): string {
  if (/^\/[A-Za-z0-9._~/-]*$/.test(text)) return text.length > 1 ? text.replace(/\/$/, '') : text
  throw new InvalidArgumentError('--path begins with a slash, such as /files.')
}

function peer(text: string, before: PeerOptions[]): PeerOptions[] {
  const [endpoint = '', internalEndpoint, ...rest] = text.split(',')
  const urls = internalEndpoint === undefined ? [endpoint] : [endpoint, internalEndpoint]
  if (rest.length > 0 || !urls.every((url) => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol))) {
    throw new InvalidArgumentError('--peer is an http(s) URL of an endpoint, such as https://eu.example.com/files.')
  }
  return [...before, internalEndpoint === undefined ? { endpoint } : { endpoint, internalEndpoint }]
}

function logForm(text: string): string {
  if (text === 'json' || text === 'text') return text
  throw new InvalidArgumentError('--log is json or text.')
}
