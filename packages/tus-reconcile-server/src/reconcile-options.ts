import type { Logger } from 'pino'
import type { BoundOptions } from './limits/bounds.js'
import type { PartitionIndex } from './records/partition-index.js'
import type { TusRequest } from './tus-request.js'

export interface PeerOptions {
  /** The address clients know this peer by. */
  readonly endpoint: string
  /** The address this server reaches it at, if another. */
  readonly internalEndpoint?: string
}

export interface ReconcileOptions extends BoundOptions {
  /** The other servers: the only addresses this one ever calls. */
  readonly peers?: readonly (string | PeerOptions)[]
  /**
   * Shared with the peers: the first signs, all are accepted. At least 16 characters each. A function is asked at every
   * message, so that secrets can be changed while the server runs; it throws nothing and costs little.
   */
  readonly secrets?: readonly string[] | (() => readonly string[])
  /**
   * `'any'`: where a file's client asks for it and the file's home stays away, another store may become its home, when
   * a majority of all servers agrees; the home's own commit of such a file needs that majority too. All servers that
   * list each other must say the same, and each list all others; with fewer than three it never helps.
   * Default: `'home'`.
   */
  readonly commitAt?: 'home' | 'any'
  /**
   * Where groups are recorded. Default: an embedded database in the store's directory, which one process at a time can
   * use.
   */
  readonly index?: PartitionIndex
  /** Every event and request goes there, without metadata, digests, secrets, headers and query strings. Default: silent. */
  readonly logger?: Logger
  /**
   * Blocks that are stored already need not be sent again. `scope` says within which files: those of the same tenant,
   * by an id of yours for whoever sends the request (undefined: none). It is asked when an upload is opened and at its
   * `have` and `claim`. All who share an id learn of each other which blocks are there: it is a boundary of trust.
   * Whole equal files of one id share their storage where the disk has hard links: replace a finished file by another,
   * never write into it. Default: within each file only.
   */
  readonly dedup?: {
    readonly scope: (req: TusRequest) => string | undefined | Promise<string | undefined>
  }
}

/** `ready` takes uploads. `failed`: the records cannot be read. */
export interface Health {
  readonly state: 'starting' | 'ready' | 'draining' | 'failed'
  /** The `Store-Id`, once it is known. */
  readonly storeId?: string
}

export interface ReconcileExtension {
  /**
   * Settles when records are loaded; rejects when they cannot be read. Requests wait for it. `storeId` is empty where
   * the datastore is no RangeStore.
   */
  readonly ready: Promise<{ readonly storeId: string }>
  /**
   * New sessions and bodies are answered 503 from now on; those that run end with the block that they are in, which
   * is acknowledged. Bodies of plain uploads end at once, and what arrived is kept. Settles when all sessions' bodies
   * have ended, or after 3 s. Operations go on until `close`.
   */
  drain(): Promise<void>
  /** Ends streams, timers and running writes, and writes the records. Requests that come later are answered 503. */
  close(): Promise<void>
  /** For a load balancer: whether new uploads should be sent here. */
  health(): Health
  /** Figures of this server since it began, in Prometheus' text format. Labels hold no ids and no names. */
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>
  /** Ends what has expired. Returns how many uploads that were. */
  cleanUp(): Promise<number>
}

/** Of a shared secret, in characters. */
export const MIN_SECRET = 16

/** @throws TypeError that names the option at fault */
export function normalPeers(options: ReconcileOptions): { endpoint: string; internalEndpoint: string }[] {
  const peers = (options.peers ?? []).map((peer) => {
    const { endpoint, internalEndpoint } = typeof peer === 'string' ? { endpoint: peer } : peer
    return { endpoint: httpUrl(endpoint), internalEndpoint: httpUrl(internalEndpoint ?? endpoint) }
  })
  const secrets = secretsOf(options)
  if (peers.length > 0 && secrets.length === 0) {
    throw new TypeError('peers need a shared secret: reconcile(server, { peers, secrets: [...] })')
  }
  if (!secrets.every(isLong)) throw new TypeError(`a shared secret has at least ${MIN_SECRET} characters`)
  return peers
}

export function secretsOf({ secrets = [] }: ReconcileOptions): readonly string[] {
  return typeof secrets === 'function' ? secrets() : secrets
}

/** Of a program without types a secret may be anything: a variable of the environment that is not set. */
export function isLong(secret: unknown): secret is string {
  return typeof secret === 'string' && secret.length >= MIN_SECRET
}

/** All there are: a name that is left out, or is none, does not compile. */
const OPTIONS: Readonly<Record<keyof ReconcileOptions, true>> = {
  peers: true,
  secrets: true,
  commitAt: true,
  index: true,
  logger: true,
  dedup: true,
  limits: true,
  shedAbove: true,
  bodyTimeoutMs: true,
  messageTimeoutMs: true,
  maxAppendSize: true,
  cleanUpIntervalMs: true,
}

/** A misspelt option would be one that is not set. @throws TypeError that names it */
export function refuseUnknown(options: ReconcileOptions): void {
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(OPTIONS, name))
  if (unknown === undefined) return
  throw new TypeError(`reconcile has no option ${unknown}: it has ${Object.keys(OPTIONS).join(', ')}`)
}

/** What the types say, for programs that have none. @throws TypeError that names the option at fault */
export function checkOptions({ commitAt = 'home', dedup, logger }: ReconcileOptions): void {
  if (!['home', 'any'].includes(commitAt)) throw new TypeError(`commitAt is 'home' or 'any', not ${commitAt}`)
  if (dedup !== undefined && typeof dedup.scope !== 'function') {
    throw new TypeError('dedup is { scope: (req) => tenantId }: a function says whose files may share blocks')
  }
  if (logger !== undefined && typeof logger.child !== 'function') throw new TypeError('logger is a logger of pino')
}

function httpUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new TypeError(`a peer is an http(s) URL of its endpoint, not ${JSON.stringify(text)}`)
  }
  return text.replace(/\/$/, '')
}
