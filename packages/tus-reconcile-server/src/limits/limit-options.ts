import type { TusRequest } from '../tus-request.js'
import type { Scope, ScopeLimits } from './quota.js'

/** Each a whole number above 0, or `Infinity` for no limit. What is not named has no default limit. */
type Limit<Scopes extends Scope> = { readonly [S in Scopes]?: number }

/**
 * What a client (as it names itself), one upload and one address may use at once. Beyond: 429 with `Retry-After`. A
 * plain upload is one upload and one session; it has no limits of its own as a group.
 */
export interface LimitOptions {
  /**
   * Uploads that have begun and not ended. Default: client 1,000, address 5,000: half of what a server takes, for many
   * share an address. The default for addresses binds no plain uploads, what you name does.
   */
  readonly openGroups?: Limit<'client' | 'address'>
  /** Sessions that are neither complete nor ended. Default: client 4,096, group 1,024 (never more). */
  readonly liveSessions?: Limit<Scope>
  /**
   * Bytes received for uploads that have not ended, and those of blocks that were copied instead. A body that goes
   * beyond is ended, and no more is copied. Default: no limit.
   */
  readonly unfinishedBytes?: Limit<Scope>
  /** Bodies that are being received. Default: client 256, group 256. */
  readonly bodies?: Limit<Scope>
  /** JSON operations per second, twice as many at once. Default: client 500, group 500. */
  readonly operationsPerSecond?: Limit<Scope>
  /** Event streams. A client's oldest is ended for its newest. Default: client 4. */
  readonly eventStreams?: Limit<'client' | 'address'>
  /** The longest JSON message of a client, bytes. Default: 1,048,576. */
  readonly messageBytes?: number
  /**
   * Which client sends a request of a plain upload, which names none: an id of yours, or undefined for none. It is asked
   * at each creation and PATCH, and may refuse as hooks do. Default: none, so that only limits of addresses bind them.
   */
  readonly plainClient?: (req: TusRequest) => string | undefined | Promise<string | undefined>
}

type LimitName = Exclude<keyof LimitOptions, 'messageBytes' | 'plainClient'>

export type ResolvedLimits = { readonly [Name in LimitName]: ScopeLimits } & {
  readonly messageBytes: number
  readonly plainClient: LimitOptions['plainClient']
  /** Whether the limit of `openGroups` for addresses is for plain uploads too, of which some may never expire. */
  readonly bindsPlainAddresses: boolean
}

const NONE: ScopeLimits = {
  client: Number.POSITIVE_INFINITY,
  group: Number.POSITIVE_INFINITY,
  address: Number.POSITIVE_INFINITY,
}

/** Guesses, all: far above what a page of many uploads needs, far below what hurts. */
const DEFAULTS: ResolvedLimits = {
  openGroups: { ...NONE, client: 1000, address: 5000 },
  liveSessions: { ...NONE, client: 4096, group: 1024 },
  unfinishedBytes: NONE,
  bodies: { ...NONE, client: 256, group: 256 },
  operationsPerSecond: { ...NONE, client: 500, group: 500 },
  eventStreams: { ...NONE, client: 4 },
  messageBytes: 1_048_576,
  plainClient: undefined,
  bindsPlainAddresses: false,
}

/** @throws TypeError that names the option at fault */
export function resolveLimits(options: LimitOptions = {}): ResolvedLimits {
  const scoped = (name: LimitName): ScopeLimits => {
    const given: Limit<Scope> = options[name] ?? {}
    for (const [scope, value] of Object.entries(given)) {
      checkName(`limits.${name}`, scope, NONE)
      checkNumber(`limits.${name}.${scope}`, value)
    }
    return { ...DEFAULTS[name], ...given }
  }
  const { bindsPlainAddresses: _ours, ...known } = DEFAULTS
  for (const name of Object.keys(options)) checkName('limits', name, known)
  if (options.messageBytes !== undefined) checkNumber('limits.messageBytes', options.messageBytes)
  return {
    openGroups: scoped('openGroups'),
    liveSessions: scoped('liveSessions'),
    unfinishedBytes: scoped('unfinishedBytes'),
    bodies: scoped('bodies'),
    operationsPerSecond: scoped('operationsPerSecond'),
    eventStreams: scoped('eventStreams'),
    messageBytes: options.messageBytes ?? DEFAULTS.messageBytes,
    plainClient: options.plainClient,
    bindsPlainAddresses: options.openGroups?.address !== undefined,
  }
}

/** A limit with a name that is none would bind nobody. */
function checkName(of: string, name: string, known: object): void {
  if (!Object.hasOwn(known, name))
    throw new TypeError(`${of}.${name} is none: known are ${Object.keys(known).join(', ')}`)
}

function checkNumber(name: string, value: unknown): void {
  if (typeof value === 'number' && value > 0 && (Number.isSafeInteger(value) || value === Number.POSITIVE_INFINITY))
    return
  throw new TypeError(`${name} is a whole number above 0, or Infinity, not ${JSON.stringify(value) ?? String(value)}`)
}
