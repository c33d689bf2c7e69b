import { readFileSync } from 'node:fs'
import { InvalidArgumentError } from 'commander'
import { isLong, MIN_SECRET, type PeerOptions } from '../reconcile-options.js'

/** A flag is wrong: one sentence that names it and says what to do. */
export class FlagError extends Error {}

/** A secret is one line that a person has made; more is some other file. */
const MAX_SECRET_FILE_BYTES = 65_536

const SIZE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
}
export const DAY_MS = 86_400_000
const TIME_UNITS_MS: Readonly<Record<string, number>> = {
  '': 1000,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: DAY_MS,
}
/** Timers of Node's hold no more: 24 days. Records live for up to a year, looked at by the minute. */
const MAX_TIME_MS = 365 * DAY_MS

/** Whatever runs a server kills it after some time of its own: longer than this nobody waits (guess). */
const MAX_DELAY_MS = 600_000

export function wholeNumber(flag: string, most: number): (text: string) => number {
  return (text) => {
    const number = Number(text)
    if (/^\d+$/.test(text) && number <= most) return number
    throw new InvalidArgumentError(`${flag} is a whole number from 0 to ${most}.`)
  }
}

/** Bytes: `5000000`, `5MB`, `1.5GiB`. */
export function sizeBytes(flag: string): (text: string) => number {
  return (text) => {
    const bytes = withUnit(text, SIZE_UNITS)
    if (bytes !== undefined && bytes >= 1 && bytes <= Number.MAX_SAFE_INTEGER) return Math.floor(bytes)
    throw new InvalidArgumentError(`${flag} is a size above 0, such as 5000000, 500MB or 20GiB.`)
  }
}

/** Bytes, or `0` for none. */
export function freeBytes(text: string): number {
  const bytes = withUnit(text, SIZE_UNITS)
  if (bytes !== undefined && bytes <= Number.MAX_SAFE_INTEGER) return Math.floor(bytes)
  throw new InvalidArgumentError('--min-free is a size such as 64MiB or 20GiB, or 0 for none.')
}

/** Milliseconds of a time: `3600` (seconds), `90s`, `30m`, `12h`, `7d`. */
export function timeMs(flag: string): (text: string) => number {
  return (text) => {
    const ms = withUnit(text, TIME_UNITS_MS)
    if (ms !== undefined && ms >= 1000 && ms <= MAX_TIME_MS) return Math.floor(ms)
    throw new InvalidArgumentError(`${flag} is a time from 1s to 365d, such as 3600 (seconds), 30m, 12h or 7d.`)
  }
}

/** Milliseconds of a time that may be 0. */
export function delayMs(text: string): number {
  const ms = withUnit(text, TIME_UNITS_MS)
  if (ms !== undefined && ms <= MAX_DELAY_MS) return Math.floor(ms)
  throw new InvalidArgumentError('--drain-delay is a time from 0 to 10m, such as 15 (seconds) or 1m.')
}

function withUnit(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const [, number, unit = ''] = /^(\d{1,16}(?:\.\d{1,6})?)([A-Za-z]{0,3})$/.exec(text) ?? []
  const factor = units[unit.toLowerCase()]
  return number === undefined || factor === undefined ? undefined : Number(number) * factor
}

export function oneOf<Choice extends string>(flag: string, choices: readonly Choice[]): (text: string) => Choice {
  return (text) => {
    const found = choices.find((choice) => choice === text)
    if (found !== undefined) return found
    throw new InvalidArgumentError(`${flag} is ${choices.join(' or ')}.`)
  }
}

export function urlPath(text: string): string {
  // what clients would make another path of (`..`) never arrives as it is written
  if (/^\/[A-Za-z0-9._~/-]*$/.test(text) && new URL(text, 'http://a').href === `http://a${text}`)
    return text.length > 1 ? text.replace(/\/$/, '') : text
  throw new InvalidArgumentError('--path begins with a slash and is written as it is called, such as /files.')
}

/** `URL` or `URL,INTERNAL_URL`; may be given many times. */
export function peer(text: string, before: PeerOptions[] = []): PeerOptions[] {
  const [endpoint = '', internalEndpoint, ...rest] = text.split(',')
  const urls = internalEndpoint === undefined ? [endpoint] : [endpoint, internalEndpoint]
  if (rest.length > 0 || !urls.every(isEndpoint)) {
    throw new InvalidArgumentError('--peer is an http(s) URL of an endpoint, such as https://eu.example.com/files.')
  }
  return [...before, internalEndpoint === undefined ? { endpoint } : { endpoint, internalEndpoint }]
}

function isEndpoint(text: string): boolean {
  if (!URL.canParse(text)) return false
  const url = new URL(text)
  const bare = url.username === '' && url.password === '' && url.search === '' && url.hash === ''
  return /^https?:$/.test(url.protocol) && bare
}

/** The secrets of a file, one a line. @throws FlagError */
export function readSecrets(file: string): string[] {
  const secrets = readText(file)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  if (secrets.length === 0) throw new FlagError(`--secret-file ${file} is empty: put a secret on its first line`)
  if (!secrets.every(isLong)) {
    throw new FlagError(`--secret-file ${file} holds a secret of fewer than ${MIN_SECRET} characters: make it longer`)
  }
  return secrets
}

function readText(file: string): string {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new FlagError(`--secret-file ${file} cannot be read (${codeOf(error)}): name a file that holds the secret`)
  }
  if (text.length <= MAX_SECRET_FILE_BYTES) return text
  throw new FlagError(`--secret-file ${file} is too long to be one: put one secret on each line`)
}

export function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error) return String(error.code)
  return error instanceof Error ? error.message : String(error)
}
