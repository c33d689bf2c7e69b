import type { Body, DefinePluginOpts, Meta, PluginOpts, Uppy, UppyFile } from '@uppy/core'
import { BasePlugin } from '@uppy/core'
import type { RequestClient } from '@uppy/core/companion-client'
import type { LocalUppyFile, RemoteUppyFile } from '@uppy/core/utils'
import { filterFilesToEmitUploadStarted, filterFilesToUpload, RateLimitedQueue } from '@uppy/core/utils'
import type { HttpRequest, HttpResponse, HttpStack } from 'tus-js-client'
import type { LoggedEvent } from '../orchestration/log/event-log.js'
import type { MirrorList } from '../orchestration/mirror-options.js'
import type {
  HeaderRequest,
  PartitioningOptions,
  PredictorOptions,
  RedundancyOptions,
} from '../orchestration/options.js'
import { RateCap } from '../orchestration/rate-cap.js'
import type { Priority, PriorityRange } from '../partitioning/priority.js'
import { FileBinding } from './file-binding.js'

/** As @uppy/tus's, and told of the request; may be async. */
export type HeadersOfFile<M extends Meta, B extends Body> = (
  file: UppyFile<M, B>,
  request: HeaderRequest,
) => Record<string, string> | Promise<Record<string, string>>

/** Options of the plugin: those of @uppy/tus that the engine knows, with the same meaning, and the engine's own. */
export interface AdaptiveTusOptions<M extends Meta, B extends Body> extends PluginOpts {
  /** The primary's tus endpoint. */
  endpoint: string
  /** Other servers with storage of their own; a string gets no headers of the primary's unless it has the same origin. Or what chooses them for a file, such as those of its country. */
  mirrors?: MirrorList | ((file: UppyFile<M, B>) => MirrorList | Promise<MirrorList>)
  /**
   * Sent to the primary, and to mirrors of its origin. A function is called for every request, and with `request.refused`
   * when the server has answered 401 or 403: the upload then goes on with what it gives next.
   */
  headers?: Record<string, string> | HeadersOfFile<M, B>
  /** `priority`: how urgent a file is beside others, or which of its bytes go first. */
  partitioning?: PartitioningOptions & { priority?: (file: UppyFile<M, B>) => Priority | readonly PriorityRange[] }
  redundancy?: RedundancyOptions | false
  /** Where predictions start, and where what they learn is kept for the next file (default localStorage). */
  predictor?: PredictorOptions
  /** Files uploaded at once (default 3; every file may use several connections). */
  limit?: number
  /** Sessions that send at once at most, over all files (default 12). */
  maxSessions?: number
  /** Largest partition, bytes; size of each PATCH to a server without our extension (default: neither is set). */
  chunkSize?: number
  /** Most bytes per second that are sent, of all files together; a `RateCap` may be changed while they are uploaded. */
  maxRate?: number | RateCap
  withCredentials?: boolean
  addRequestId?: boolean
  /** Which metadata is sent: all (true, the default), none (false), or these fields. */
  allowedMetaFields?: boolean | string[]
  rateLimitedQueue?: RateLimitedQueue
  httpStack?: HttpStack
  /** For how long to wait for servers that do not answer, seconds (default 600). */
  giveUpAfter?: number
  /** Where a file may be committed when the primary stays away: there alone (the default), or at any server. */
  commitAt?: 'primary' | 'any'
  onBeforeRequest?: (request: HttpRequest, file: UppyFile<M, B>) => void | Promise<void>
  onAfterResponse?: (request: HttpRequest, response: HttpResponse) => void | Promise<void>
  /** Called for every decision and outcome of every file. */
  onEvent?: (fileId: string, event: LoggedEvent) => void
}

const DEFAULTS = { limit: 3, allowedMetaFields: true, withCredentials: false }

type ResolvedPluginOptions<M extends Meta, B extends Body> = DefinePluginOpts<
  AdaptiveTusOptions<M, B>,
  keyof typeof DEFAULTS
>

/** Uppy's uploader over the engine: `uppy.use(AdaptiveTus, { endpoint, mirrors })` in place of @uppy/tus. */
export default class AdaptiveTus<M extends Meta, B extends Body> extends BasePlugin<ResolvedPluginOptions<M, B>, M, B> {
  static VERSION = '0.1.0'
  readonly #queue: RateLimitedQueue
  readonly #rateCap: RateCap | undefined

  constructor(uppy: Uppy<M, B>, options: AdaptiveTusOptions<M, B>) {
    super(uppy, { ...DEFAULTS, ...options })
    this.type = 'uploader'
    this.id = this.opts.id ?? 'AdaptiveTus'
    const { maxRate } = this.opts
    this.#rateCap = typeof maxRate === 'number' ? new RateCap(maxRate) : maxRate
    this.#queue = this.opts.rateLimitedQueue ?? new RateLimitedQueue(this.opts.limit)
  }

  override install(): void {
    this.#announceResumable(true)
    this.uppy.addUploader(this.#upload)
  }

  override uninstall(): void {
    this.#announceResumable(false)
    this.uppy.removeUploader(this.#upload)
  }

  #announceResumable(resumableUploads: boolean): void {
    this.uppy.setState({ capabilities: { ...this.uppy.getState().capabilities, resumableUploads } })
  }

  #upload = async (fileIds: string[]): Promise<void> => {
    const files = filterFilesToUpload(this.uppy.getFilesByIds(fileIds))
    this.uppy.emit('upload-start', filterFilesToEmitUploadStarted(files))
    await Promise.allSettled(files.map((file) => (file.isRemote ? this.#uploadRemote(file) : this.#uploadLocal(file))))
  }

  #uploadLocal(file: LocalUppyFile<M, B>): Promise<void> {
    const binding = new FileBinding<M, B>({
      ...{ uppy: this.uppy, queue: this.#queue, rateCap: this.#rateCap },
      ...{ options: this.opts, file },
    })
    return binding.run()
  }

  /** Companion moves the bytes of a remote file from its source to the primary by plain tus, as with @uppy/tus. */
  async #uploadRemote(file: RemoteUppyFile<M, B>): Promise<void> {
    const controller = new AbortController()
    const onRemoved = (removed: UppyFile<M, B>) => {
      if (removed.id === file.id) controller.abort()
    }
    this.uppy.on('file-removed', onRemoved)
    const { headers, endpoint } = this.opts
    try {
      const request = {
        ...file.remote.body,
        endpoint,
        protocol: 'tus',
        size: file.data.size,
        headers: typeof headers === 'function' ? await headers(file, { endpoint, method: 'POST' }) : headers,
        metadata: file.meta,
      }
      const client = this.uppy.getRequestClientForFile<RequestClient<M, B>>(file)
      await client.uploadRemoteFile(file, request, { signal: controller.signal, getQueue: () => this.#queue })
    } finally {
      this.uppy.off('file-removed', onRemoved)
    }
  }
}
