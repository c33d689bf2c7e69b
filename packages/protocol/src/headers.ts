import { parseDictionary, parseItem, serializeDictionary } from 'structured-headers'
import { BLOCK_SIZE } from './digest.js'
import { ProtocolError } from './protocol-error.js'

/** Announced in `Tus-Extension`; a client uses nothing of ours before OPTIONS listed it. */
export const RECONCILE_EXTENSION = 'reconcile-1'
export const TUS_VERSION = '1.0.0'
export const OPERATION_CONTENT_TYPE = 'application/tus-reconcile+json'
export const BODY_CONTENT_TYPE = 'application/offset+octet-stream'

export const HEADER = {
  partition: 'Upload-Partition',
  state: 'Reconcile-State',
  upload: 'Reconcile-Upload',
  load: 'Reconcile-Load',
  blockSize: 'Reconcile-Block-Size',
  storeId: 'Store-Id',
  limit: 'Upload-Limit',
  commit: 'Reconcile-Commit',
} as const

/** Request headers a browser must be allowed to send, beyond what @tus/server allows itself. */
export const REQUEST_HEADERS: readonly string[] = [HEADER.partition, 'Upload-Checksum', 'Last-Event-ID']

/** Response headers a browser must be allowed to read, beyond what @tus/server exposes itself. */
export const EXPOSED_HEADERS: readonly string[] = [
  HEADER.state,
  HEADER.upload,
  HEADER.load,
  HEADER.blockSize,
  HEADER.storeId,
  HEADER.limit,
  HEADER.commit,
  'Upload-Expires',
  'Retry-After',
  'Tus-Checksum-Algorithm',
  'Repr-Digest',
]

/** What a request of a session says about itself in `Upload-Partition`. Offsets and sizes in bytes of the whole file. */
export interface PartitionHeader {
  readonly group: string
  readonly partition: string
  readonly session: string
  /** Rises with every request of the session; a lower one than the highest seen is refused with 409. */
  readonly attempt: number
  readonly client: string
  /** The first byte of the session's range in the file: on a block boundary. */
  readonly start: number
  /** The planned end, on a block boundary or the file's end; absent while it is open. */
  readonly end?: number
  /** The file's size, when it is known. */
  readonly size?: number
  /** The `Store-Id` of the store where the file is committed. */
  readonly home: string
  /** Where the home stays away the file may be committed at another store. Absent: at its home alone. */
  readonly any?: boolean
}

/** 128 random bits as base64url. */
const ID = /^[A-Za-z0-9_-]{22}$/
const PARTITION_NAME = /^[A-Za-z0-9_-]{1,32}$/

/** @throws ProtocolError `bad-id` */
export function parseId(text: unknown, what: string): string {
  if (typeof text === 'string' && ID.test(text)) return text
  throw new ProtocolError('bad-id', `${what} is 22 characters of base64url (128 random bits), not ${quote(text)}`)
}

/** @param random 16 random bytes */
export function formatId(random: Uint8Array): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  let bits = 0
  let held = 0
  let text = ''
  for (const byte of random) {
    bits = (bits << 8) | byte
    held += 8
    while (held >= 6) {
      held -= 6
      text += alphabet[(bits >> held) & 63]
    }
    bits &= (1 << held) - 1
  }
  return held > 0 ? text + alphabet[(bits << (6 - held)) & 63] : text
}

/** An RFC 9651 dictionary: `group="…", partition="p7", session="…", attempt=3, client="…", start=0, end=…, size=…, home="…"`. */
export function formatPartitionHeader(header: PartitionHeader): string {
  const members: [string, string | number | boolean][] = Object.entries(header).filter(
    ([, value]) => value !== undefined,
  )
  return serializeDictionary(new Map(members.map(([key, value]) => [key, [value, new Map()]])))
}

/** @throws ProtocolError `bad-header` (or `bad-id`) that names the member at fault. */
export function parsePartitionHeader(text: string): PartitionHeader {
  const members = readDictionary(text)
  const start = offsetMember(members, 'start')
  if (start === undefined) throw new ProtocolError('bad-header', `${HEADER.partition} needs start`)
  if (start % BLOCK_SIZE !== 0) {
    throw new ProtocolError(
      'bad-header',
      `${HEADER.partition}: start must be a multiple of ${BLOCK_SIZE}, not ${start}`,
    )
  }
  const end = offsetMember(members, 'end')
  const size = offsetMember(members, 'size')
  if (end !== undefined && end < start)
    throw new ProtocolError('bad-header', `${HEADER.partition}: end ${end} lies before start ${start}`)
  if (end !== undefined && end % BLOCK_SIZE !== 0 && end !== size) {
    throw new ProtocolError(
      'bad-header',
      `${HEADER.partition}: end must be a multiple of ${BLOCK_SIZE} or the file's size, not ${end}`,
    )
  }
  if (size !== undefined && (start > size || (end ?? 0) > size)) {
    throw new ProtocolError(
      'bad-header',
      `${HEADER.partition}: the range ${start}-${end ?? ''} lies outside a file of ${size} bytes`,
    )
  }
  const partition = members.get('partition')
  if (typeof partition !== 'string' || !PARTITION_NAME.test(partition)) {
    throw new ProtocolError(
      'bad-header',
      `${HEADER.partition}: partition is 1 to 32 of A-Z a-z 0-9 _ -, not ${quote(partition)}`,
    )
  }
  const home = members.get('home')
  return {
    group: parseId(members.get('group'), 'group'),
    partition,
    session: parseId(members.get('session'), 'session'),
    attempt: offsetMember(members, 'attempt') ?? 0,
    client: parseId(members.get('client'), 'client'),
    start,
    ...(end === undefined ? {} : { end }),
    ...(size === undefined ? {} : { size }),
    home: parseId(home, 'home'),
    ...(isAny(members) ? { any: true } : {}),
  }
}

function readDictionary(text: string): Map<string, unknown> {
  try {
    return new Map([...parseDictionary(text)].map(([key, [value]]) => [key, value]))
  } catch (cause) {
    throw new ProtocolError('bad-header', `${HEADER.partition} is no RFC 9651 dictionary: ${quote(text)}`, { cause })
  }
}

function isAny(members: Map<string, unknown>): boolean {
  const any = members.get('any') ?? false
  if (typeof any === 'boolean') return any
  throw new ProtocolError('bad-header', `${HEADER.partition}: any is a boolean, not ${quote(any)}`)
}

function offsetMember(members: Map<string, unknown>, name: string): number | undefined {
  const value = members.get(name)
  if (value === undefined) return undefined
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new ProtocolError('bad-header', `${HEADER.partition}: ${name} is a whole number from 0, not ${quote(value)}`)
}

/** `Upload-Limit` (IETF resumable uploads): `max-append-size=…, max-size=…`, bytes. Unknown members are left out. */
export interface UploadLimit {
  readonly maxAppendSize?: number
  readonly minAppendSize?: number
  readonly maxSize?: number
}

export function formatUploadLimit(limit: UploadLimit): string {
  const members: [string, number | undefined][] = [
    ['max-append-size', limit.maxAppendSize],
    ['min-append-size', limit.minAppendSize],
    ['max-size', limit.maxSize],
  ]
  const present = members.filter((member): member is [string, number] => member[1] !== undefined)
  return serializeDictionary(new Map(present.map(([key, value]) => [key, [value, new Map()]])))
}

/** Never throws: an unreadable limit is no limit. */
export function parseUploadLimit(text: string | null | undefined): UploadLimit {
  if (!text) return {}
  const limit: { -readonly [K in keyof UploadLimit]: UploadLimit[K] } = {}
  try {
    const members = readDictionary(text)
    const max = offsetMember(members, 'max-append-size')
    const min = offsetMember(members, 'min-append-size')
    const whole = offsetMember(members, 'max-size')
    if (max !== undefined && max > 0) limit.maxAppendSize = max
    if (min !== undefined) limit.minAppendSize = min
    if (whole !== undefined) limit.maxSize = whole
  } catch {
    return {}
  }
  return limit
}

/** `Reconcile-Load`: an RFC 9651 decimal from 0 to 1, to three places. */
export function formatLoad(load: number): string {
  return Math.min(1, Math.max(0, load)).toFixed(3)
}

/** Never throws: what is no number from 0 to 1 says nothing. */
export function parseLoad(text: string | null | undefined): number | undefined {
  if (!text) return undefined
  try {
    const [load] = parseItem(text)
    return typeof load === 'number' && load >= 0 && load <= 1 ? load : undefined
  } catch {
    return undefined
  }
}

function quote(value: unknown): string {
  return value === undefined ? 'nothing' : (JSON.stringify(value)?.slice(0, 80) ?? String(value))
}
