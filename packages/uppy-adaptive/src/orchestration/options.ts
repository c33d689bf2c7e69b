import type { Priors } from 'upload-predictor'
import { parseModel, priorsOf } from 'upload-predictor'
import type { Priority, PriorityRange } from '../partitioning/priority.js'
import { DEFAULT_LIMITS } from '../partitioning/size-limits.js'
import { DEFAULT_THRESHOLD } from '../redundancy/copy-gain.js'
import type { MirrorList, MirrorOptions, MirrorsOfFile, ResolvedMirrorsOfFile } from './mirror-options.js'
import { parseEndpoint, resolveMirrors } from './mirror-options.js'
import type { JournalStorage } from './ports.js'
import { resolvePriority } from './priority-options.js'
import { quote } from './quote.js'
import { RateCap } from './rate-cap.js'
import { toError, UploadError } from './upload-error.js'

/** What headers are asked for. */
export interface HeaderRequest {
  /** Where the request goes. */
  readonly endpoint: string
  readonly method: string
  /** The server has refused the last ones: get others. Asked once, whatever waits; what follows is asked for as ever. */
  readonly refused?: { readonly status: number }
}

/** Headers of every request to a server, or what gives them for each. */
export type HeaderSource =
  | Readonly<Record<string, string>>
  | ((request: HeaderRequest) => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>)

export interface PartitioningOptions {
  /** Size of each server's first partition, bytes (default 1 MiB). */
  readonly initialSize?: number
  /** Smallest partition, bytes (default 256 KiB, a block). */
  readonly minSize?: number
  /** Largest partition, bytes (default 64 MiB). */
  readonly maxSize?: number
  /** How long a partition should take, seconds; by default it follows round trips and failures, 1 to 4, and at least 8 round trips. */
  readonly targetSeconds?: number
}

export interface RedundancyOptions {
  /**
   * Share that what a copy saves in the mean must have in that and in what it costs in the mean, 0 to 1 (default 0.7). Of
   * one that saves what it costs that is P(the trouble is one server's: it fails or straggles); the longer a silence
   * lasts, the less of it will do. 1: only of what is given up otherwise; at any, nothing is copied at P below 0.3.
   */
  readonly threshold?: number
  /** Share of the acknowledged bytes that copies may send again, beside one partition (default 0.05). */
  readonly budget?: number
  /** Copies in flight at once (default 2). */
  readonly maxConcurrent?: number
}

export interface PredictorOptions {
  /** What `upload-predictor fit` wrote, its text or the object: predictions start from it instead of from guesses. */
  readonly model?: string | object
  /**
   * Where to keep what was learned of servers and the link (Store-Ids, a plain server's host, and figures; of hosts that
   * limit a request's body, or were left for their silence, their names and figures), so that the next upload starts with it: where the journal is, unless
   * this is a file's path; by default localStorage in browsers, nothing in Node;
   * false keeps nothing.
   */
  readonly memory?: JournalStorage | string | false
}

export interface UploadOptions {
  /** The primary: a tus server's endpoint URL. The file is committed there. */
  readonly endpoint: string
  /** Other servers with storage of their own that know the primary as their peer, or what chooses them for this file. */
  readonly mirrors?: MirrorList | MirrorsOfFile
  readonly metadata?: Readonly<Record<string, string>>
  /**
   * Sent to the primary, and to mirrors of its origin. A function is called for every request, and with `refused` when the
   * server has answered 401 or 403: the upload then goes on with what it gives next.
   */
  readonly headers?: HeaderSource
  readonly partitioning?: PartitioningOptions
  /**
   * How urgent the file is beside others: what is `high` gets more of the sessions and goes in smaller partitions, what is
   * `bulk` gets fewer and larger ones. Or which of its bytes go first, such as a film's index: the rest then has the
   * priority of its content type. By default images and text are `high`, videos and archives `bulk`, of videos the first
   * 2 MiB `high`. To a server without our extension a file goes from its start to its end.
   */
  readonly priority?: Priority | readonly PriorityRange[]
  /**
   * Sessions that send at once at most, over all uploads of this page or process, copies included (default 12). How many
   * do is found by measuring: one where more would bring nothing.
   */
  readonly maxSessions?: number
  readonly redundancy?: RedundancyOptions | false
  readonly predictor?: PredictorOptions
  /** For how long to wait for servers that do not answer, seconds (default 600). */
  readonly giveUpAfter?: number
  /**
   * Where the file may be committed: at the primary alone (`primary`, the default), or, when that has been silent for
   * `giveUpAfter`, at a mirror that a majority of the servers gives it to (`any`): the result's `url` is then that mirror's.
   * Needs three servers at least, all with `--commit-at any`.
   */
  readonly commitAt?: 'primary' | 'any'
  /**
   * Size of each PATCH to a server without our extension, bytes, or Infinity; by default it follows the path, and what
   * the host is known to ask for. A smaller limit that the server is found to have counts all the same.
   */
  readonly chunkSize?: number
  /**
   * How much of a stream is kept to be sent again until the server has it, and at most in one PATCH, bytes (default 8 MiB).
   * Files and bytes are read again from where they are.
   */
  readonly streamBuffer?: number
  /**
   * Most bytes per second that are sent, from 4,096 (default no cap): over seconds, of all connections. Uploads that are given
   * the same `RateCap` share it, and it may be changed while they run.
   */
  readonly maxRate?: number | RateCap
}

/** UploadOptions with every default filled in. */
export interface ResolvedOptions {
  readonly endpoint: string
  readonly mirrors: readonly MirrorOptions[] | ResolvedMirrorsOfFile
  readonly metadata: Readonly<Record<string, string>>
  readonly headers: HeaderSource
  readonly partitioning: {
    readonly initialSize: number
    readonly minSize: number
    readonly maxSize: number
    readonly targetSeconds: number | undefined
  }
  readonly priority: Priority | readonly PriorityRange[] | undefined
  readonly maxSessions: number
  readonly redundancy: { readonly threshold: number; readonly budget: number; readonly maxConcurrent: number } | false
  readonly predictor: {
    readonly priors: Priors | undefined
    readonly memory: JournalStorage | string | false | undefined
  }
  readonly giveUpAfterMs: number
  readonly commitAt: 'primary' | 'any'
  readonly chunkSize: number | undefined
  readonly streamBuffer: number
  readonly rateCap: RateCap | undefined
}

/**
 * @param base what relative URLs are relative to: a page's own address
 * @throws UploadError `no-endpoint` or `bad-option` that quotes the value and says what it should be.
 */
export function resolveOptions(options: UploadOptions, base?: string): ResolvedOptions {
  const endpoint = parseEndpoint(options.endpoint, { name: 'endpoint', base })
  return {
    endpoint,
    mirrors: resolveMirrors(options.mirrors, { endpoint, base }),
    metadata: options.metadata ?? {},
    headers: options.headers ?? {},
    partitioning: resolvePartitioning(options.partitioning ?? {}),
    priority: resolvePriority(options.priority),
    maxSessions: numberIn('maxSessions', options.maxSessions ?? 12, { min: 1 }),
    redundancy: options.redundancy === false ? false : resolveRedundancy(options.redundancy ?? {}),
    predictor: resolvePredictor(options.predictor ?? {}),
    chunkSize: options.chunkSize === undefined ? undefined : numberIn('chunkSize', options.chunkSize, { min: 1 }),
    giveUpAfterMs: 1000 * numberIn('giveUpAfter', options.giveUpAfter ?? 600, { min: 0 }),
    streamBuffer: numberIn('streamBuffer', options.streamBuffer ?? 8 * 1024 * 1024, { min: 65_536 }),
    commitAt: parseCommitAt(options.commitAt ?? 'primary'),
    rateCap: resolveRateCap(options.maxRate),
  }
}

function parseCommitAt(commitAt: unknown): ResolvedOptions['commitAt'] {
  if (commitAt === 'primary' || commitAt === 'any') return commitAt
  throw new UploadError('bad-option', `commitAt must be 'primary' or 'any', not ${quote(commitAt)}`)
}

function resolveRateCap(maxRate: number | RateCap | undefined): RateCap | undefined {
  if (maxRate === undefined || maxRate instanceof RateCap) return maxRate
  return new RateCap(maxRate)
}

function resolvePartitioning(given: PartitioningOptions): ResolvedOptions['partitioning'] {
  const minSize = numberIn('partitioning.minSize', given.minSize ?? DEFAULT_LIMITS.minSizeBytes, { min: 1 })
  const maxSize = numberIn('partitioning.maxSize', given.maxSize ?? Math.max(DEFAULT_LIMITS.maxSizeBytes, minSize), {
    min: minSize,
  })
  const initialSize = numberIn('partitioning.initialSize', given.initialSize ?? 1024 * 1024, { min: 1 })
  const { targetSeconds } = given
  if (targetSeconds !== undefined) numberIn('partitioning.targetSeconds', targetSeconds, { min: 0.1 })
  return { minSize, maxSize, initialSize, targetSeconds }
}

function resolveRedundancy(given: RedundancyOptions): Exclude<ResolvedOptions['redundancy'], false> {
  return {
    threshold: numberIn('redundancy.threshold', given.threshold ?? DEFAULT_THRESHOLD, { min: 0, max: 1 }),
    budget: numberIn('redundancy.budget', given.budget ?? 0.05, { min: 0 }),
    maxConcurrent: numberIn('redundancy.maxConcurrent', given.maxConcurrent ?? 2, { min: 0 }),
  }
}

function resolvePredictor(given: unknown): ResolvedOptions['predictor'] {
  if (typeof given !== 'object' || given === null)
    throw new UploadError('bad-option', `predictor must be { model, memory }, not ${quote(given)}`)
  const { model, memory }: PredictorOptions = given
  const isStorage = typeof memory === 'object' && memory !== null && typeof memory.get === 'function'
  if (memory !== undefined && memory !== false && typeof memory !== 'string' && !isStorage) {
    const wanted = 'false, the path of a file, or an object with get, set and delete'
    throw new UploadError('bad-option', `predictor.memory must be ${wanted}, not ${quote(memory)}`)
  }
  return { priors: model === undefined ? undefined : readModel(model), memory }
}

function readModel(model: unknown): Priors {
  try {
    return priorsOf(parseModel(typeof model === 'string' ? model : (JSON.stringify(model) ?? '')))
  } catch (cause) {
    const why = `${toError(cause).message}; give what "upload-predictor fit LOG --out model.json" has written`
    throw new UploadError('bad-option', `predictor.model: ${why}`, { cause })
  }
}

const MAY_BE_INFINITE = new Set(['giveUpAfter', 'partitioning.maxSize', 'chunkSize'])

function numberIn(name: string, value: unknown, bounds: { min: number; max?: number }): number {
  const max = bounds.max ?? Number.POSITIVE_INFINITY
  const isBounded = MAY_BE_INFINITE.has(name) || Number.isFinite(value)
  if (typeof value === 'number' && value >= bounds.min && value <= max && isBounded) return value
  const wanted = bounds.max === undefined ? `a number from ${bounds.min}` : `a number from ${bounds.min} to ${max}`
  throw new UploadError('bad-option', `${name} must be ${wanted}, not ${quote(value)}`)
}
