import type { HttpRequest, HttpResponse, HttpStack } from 'tus-js-client'
import { DefaultHttpStack } from 'tus-js-client'
import { platform } from '#platform'
import { createDigester } from './io/block-digester.js'
import { systemClock, systemRandomness } from './io/host.js'
import type { HttpOptions, HttpPath } from './io/http.js'
import { PlainTus } from './io/plain-tus.js'
import { ReconcileClient } from './io/reconcile-client.js'
import type { SourceInput } from './io/source.js'
import { openSource } from './io/source.js'
import { isStream, StreamSource } from './io/stream-source.js'
import { KnownServers } from './orchestration/kept/known-servers.js'
import type { MirrorOptions } from './orchestration/mirror-options.js'
import type { HeaderSource, ResolvedOptions, UploadOptions } from './orchestration/options.js'
import { resolveOptions } from './orchestration/options.js'
import type { JournalStorage, Source } from './orchestration/ports.js'
import { SessionPool } from './orchestration/sessions/session-pool.js'
import { UploadEngine } from './orchestration/upload/upload-engine.js'
import type { UploadHost } from './orchestration/upload/upload-host.js'
import { UploadError } from './orchestration/upload-error.js'

export type { SourceInput } from './io/source.js'
export type { StreamInput } from './io/stream-source.js'
export type { LoggedEvent, SessionSample, UploadEvent } from './orchestration/log/event-log.js'
export type { UploadProgress } from './orchestration/log/progress.js'
export type { FileFacts, MirrorList, MirrorOptions, MirrorsOfFile } from './orchestration/mirror-options.js'
export type {
  HeaderRequest,
  HeaderSource,
  PartitioningOptions,
  PredictorOptions,
  RedundancyOptions,
  UploadOptions,
} from './orchestration/options.js'
export type { JournalStorage } from './orchestration/ports.js'
export { RateCap } from './orchestration/rate-cap.js'
export type { UploadStatus } from './orchestration/sessions/upload-status.js'
export type { UploadResult } from './orchestration/upload/delivery.js'
export type { UploadStats } from './orchestration/upload/upload-stats.js'
export type { UploadErrorCode, WarningCode } from './orchestration/upload-error.js'
export { UploadError } from './orchestration/upload-error.js'
export type { Priority, PriorityRange } from './partitioning/priority.js'

/** UploadOptions, and how requests are made. */
export interface AdaptiveUploadOptions extends UploadOptions {
  /** tus-js-client's way of making requests (default: XMLHttpRequest in browsers, node:http in Node). */
  readonly httpStack?: HttpStack
  /** Send cookies across origins (default false). */
  readonly withCredentials?: boolean
  /** Send an `X-Request-ID` with every request (default false). */
  readonly addRequestId?: boolean
  readonly onBeforeRequest?: (request: HttpRequest) => void | Promise<void>
  readonly onAfterResponse?: (request: HttpRequest, response: HttpResponse) => void | Promise<void>
  /**
   * Where to remember unfinished uploads, so that the same file goes on after a reload or a crash: localStorage in browsers
   * by default, nothing in Node unless a file's path is given; false remembers nothing. The last 100 uploads of 30 days;
   * ids, a plain upload's URL, and of the file its size, time and a digest: no name, header or metadata.
   */
  readonly journal?: JournalStorage | string | false
  /**
   * What this file is remembered by; by default a File's name, size, type and time, or a path. A file that is another by
   * then is refused once (`source-changed`).
   */
  readonly fingerprint?: string
}

/**
 * Uploads one file, without Uppy: `new AdaptiveUpload(source, { endpoint, mirrors }).start()`. In browsers and in Node.
 * @throws UploadError `no-endpoint`, `bad-option` from the constructor
 */
export class AdaptiveUpload extends UploadEngine {
  constructor(source: SourceInput, options: AdaptiveUploadOptions) {
    const resolved = resolveOptions(options, typeof location === 'undefined' ? undefined : location.href)
    super(createHost(source, options, resolved), resolved)
  }
}

const defaultStack: HttpStack = new DefaultHttpStack({})
/** By another stack the same address may lead elsewhere. */
const servers = new WeakMap<HttpStack, KnownServers>()

function serversOf(stack: HttpStack): KnownServers {
  const known = servers.get(stack) ?? new KnownServers(systemClock)
  servers.set(stack, known)
  return known
}
/** Of this page or process. */
const pool = new SessionPool()

function createHost(input: SourceInput, options: AdaptiveUploadOptions, resolved: ResolvedOptions): UploadHost {
  const http = createHttpOptions(options)
  return {
    clock: systemClock,
    randomness: systemRandomness,
    digester: createDigester(),
    sessions: { pool, connections: platform.openConnections() },
    reportError: (error) => console.error(error),
    journal: chooseJournal(options.journal),
    memory: chooseMemory(resolved.predictor.memory, options.journal),
    page: platform.page,
    turns: platform.openTurns(),
    openSource: opener(input, options, resolved.streamBuffer),
    servers: serversOf(http.stack),
    createPort: (address, server) => {
      const headers = headersFor(resolved, { ...address, server })
      return new ReconcileClient(address, { ...http, ...pathOf(address, options), headers })
    },
    plain: new PlainTus(resolved.endpoint, { ...http, headers: resolved.headers }),
  }
}

/** A stream is read once, whatever starts the upload has. */
function opener(input: SourceInput, options: AdaptiveUploadOptions, bufferBytes: number): () => Promise<Source> {
  if (isStream(input)) {
    const stream = new StreamSource(input, bufferBytes)
    return async () => stream
  }
  return async () => withFingerprint(await openSource(input), options.fingerprint)
}

function withFingerprint(source: Source, fingerprint: string | undefined): Source {
  return fingerprint === undefined ? source : { ...source, fingerprint }
}

/** @throws UploadError `bad-option` */
function pathOf({ localAddress }: MirrorOptions, { httpStack }: AdaptiveUploadOptions): Partial<HttpPath> {
  if (localAddress === undefined) return {}
  if (httpStack === undefined) return platform.pathFrom(localAddress)
  const message = `mirrors: localAddress (${localAddress}) and httpStack exclude each other: let the stack choose the address`
  throw new UploadError('bad-option', message)
}

function createHttpOptions(options: AdaptiveUploadOptions): Omit<HttpOptions, 'headers'> {
  return {
    stack: options.httpStack ?? defaultStack,
    fetch: (url, init) => fetch(url, init),
    withCredentials: options.withCredentials ?? false,
    addRequestId: options.addRequestId ?? false,
    onBeforeRequest: options.onBeforeRequest,
    onAfterResponse: options.onAfterResponse,
  }
}

/** A mirror gets its own headers; the primary's only where it has the primary's origin (DESIGN 4). */
function headersFor(
  options: ResolvedOptions,
  { endpoint, server, headers }: MirrorOptions & { server: number },
): HeaderSource {
  if (server === 0) return options.headers
  if (headers) return headers
  return new URL(endpoint).origin === new URL(options.endpoint).origin ? options.headers : {}
}

function chooseJournal(journal: AdaptiveUploadOptions['journal']): JournalStorage | undefined {
  if (journal === false) return undefined
  if (typeof journal === 'string') return platform.openJournalFile(journal)
  return journal ?? platform.defaultJournal()
}

/** Not in a journal's file: that is one upload's, and goes with it. */
function chooseMemory(
  memory: ResolvedOptions['predictor']['memory'],
  journal: AdaptiveUploadOptions['journal'],
): JournalStorage | undefined {
  if (memory === false) return undefined
  if (memory === undefined) return typeof journal === 'string' ? undefined : chooseJournal(journal)
  return typeof memory === 'string' ? platform.openJournalFile(memory) : memory
}
