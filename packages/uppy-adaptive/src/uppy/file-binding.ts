import type { Body, Meta, Uppy, UppyFile } from '@uppy/core'
import { EventManager } from '@uppy/core'
import type { LocalUppyFile, RateLimitedQueue } from '@uppy/core/utils'
import { getAllowedMetaFields } from '@uppy/core/utils'
import type { LoggedEvent } from '../orchestration/log/event-log.js'
import type { RateCap } from '../orchestration/rate-cap.js'
import { toError, UploadError } from '../orchestration/upload-error.js'
import type { AdaptiveUploadOptions } from '../upload.js'
import { AdaptiveUpload } from '../upload.js'
import type { AdaptiveTusOptions } from './adaptive-tus.js'

interface BindingParts<M extends Meta, B extends Body> {
  readonly uppy: Uppy<M, B>
  readonly queue: RateLimitedQueue
  readonly rateCap: RateCap | undefined
  readonly options: AdaptiveTusOptions<M, B>
  readonly file: LocalUppyFile<M, B>
}

/** One file of Uppy's and its upload: Uppy's events drive the upload, the upload's events drive Uppy. */
export class FileBinding<M extends Meta, B extends Body> {
  readonly #parts: BindingParts<M, B>
  readonly #events: EventManager<M, B>
  #upload: AdaptiveUpload | undefined
  #leave: (() => void) | undefined
  #isPaused: boolean

  constructor(parts: BindingParts<M, B>) {
    this.#parts = parts
    this.#isPaused = parts.uppy.getFile(parts.file.id)?.isPaused ?? false
    this.#events = new EventManager(parts.uppy)
  }

  /** Settles when the file is uploaded, failed, removed or cancelled. */
  run(): Promise<void> {
    const { uppy, file } = this.#parts
    return new Promise((resolve, reject) => {
      const settle = () => {
        this.#leaveQueue()
        this.#events.remove()
      }
      const cancel = () => {
        const upload = this.#upload
        settle()
        if (upload) void upload.cancel()
        else resolve()
      }
      this.#events.onFileRemove(file.id, cancel)
      this.#events.onCancelAll(file.id, cancel)
      const begin = () => void this.#start().finally(settle).then(resolve, reject)
      const setPaused = (isPaused: boolean) => this.#setPaused(isPaused, begin)
      this.#events.onPause(file.id, setPaused)
      this.#events.onPauseAll(file.id, () => setPaused(true))
      this.#events.onResumeAll(file.id, () => setPaused(false))
      if (!this.#isPaused) this.#enterQueue(begin)
      if (!uppy.getFile(file.id)) cancel()
    })
  }

  /** A paused file gives its place in the queue to others, also before it was its turn, and queues again to go on. */
  #setPaused(isPaused: boolean, begin: () => void): void {
    if (isPaused === this.#isPaused) return
    this.#isPaused = isPaused
    const upload = this.#upload
    this.#leaveQueue()
    if (isPaused) void upload?.pause()
    else this.#enterQueue(upload ? () => void upload.resume() : begin)
  }

  #enterQueue(go: () => void): void {
    const queued = this.#parts.queue.run(() => {
      go()
      return () => {}
    })
    this.#leave = () => queued.abort()
  }

  #leaveQueue(): void {
    this.#leave?.()
    this.#leave = undefined
  }

  async #start(): Promise<void> {
    const { uppy, file, options } = this.#parts
    try {
      if (!file.data) throw new UploadError('bad-source', `${file.name} has no data any more: choose it again`)
      const upload = new AdaptiveUpload(file.data, this.#uploadOptions())
      this.#upload = upload
      upload.on('event', (event) => this.#pass(event))
      if (options.onEvent) upload.on('event', (event) => options.onEvent?.(file.id, event))
      const result = await upload.start()
      // Body is the application's own type for what a server answers; ours answers with the upload's figures
      const body = { digest: result.digest, stats: result.stats } as unknown as B
      const response = { uploadURL: result.url, status: 200, body, stats: result.stats }
      uppy.emit('upload-success', uppy.getFile(file.id), response)
    } catch (error) {
      if (error instanceof UploadError && (error.code === 'cancelled' || error.code === 'aborted')) return
      uppy.emit('upload-error', uppy.getFile(file.id), toError(error))
      throw error
    }
  }

  #pass(event: LoggedEvent): void {
    const { uppy, file } = this.#parts
    if (event.type === 'warning') uppy.log(`[AdaptiveTus] ${event.message}`, 'warning')
    if (event.type !== 'progress') return
    const latest = uppy.getFile(file.id)
    if (!latest) return
    uppy.emit('upload-progress', latest, {
      uploadStarted: latest.progress.uploadStarted ?? 0,
      bytesUploaded: event.ackedBytes,
      bytesTotal: event.totalBytes,
    })
  }

  #uploadOptions(): AdaptiveUploadOptions {
    const { file, options, rateCap } = this.#parts
    const { headers, mirrors, partitioning, chunkSize, onBeforeRequest } = options
    const { priority, ...sizes } = partitioning ?? {}
    return {
      endpoint: options.endpoint,
      fingerprint: `uppy:${file.id}`,
      metadata: this.#metadata(),
      partitioning: chunkSize !== undefined && Number.isFinite(chunkSize) ? { ...sizes, maxSize: chunkSize } : sizes,
      ...(chunkSize === undefined ? {} : { chunkSize }),
      ...(rateCap ? { maxRate: rateCap } : {}),
      ...(headers ? { headers: typeof headers === 'function' ? (request) => headers(file, request) : headers } : {}),
      ...(mirrors ? { mirrors: typeof mirrors === 'function' ? () => mirrors(file) : mirrors } : {}),
      ...(priority ? { priority: priority(file) } : {}),
      ...(onBeforeRequest ? { onBeforeRequest: (request) => onBeforeRequest(request, file) } : {}),
      ...pick(options, [
        'redundancy',
        'predictor',
        'withCredentials',
        'addRequestId',
        'httpStack',
        'giveUpAfter',
        'commitAt',
        'maxSessions',
        'onAfterResponse',
      ]),
    }
  }

  /** As @uppy/tus: the allowed fields as text, and type and name also under the names that tusd uses. */
  #metadata(): Record<string, string> {
    const { file, options } = this.#parts
    const meta: UppyFile<M, B>['meta'] = file.meta
    const fields = getAllowedMetaFields(options.allowedMetaFields ?? true, meta)
    const metadata: Record<string, string> = {}
    for (const field of fields) metadata[String(field)] = String(meta[field])
    if (metadata.type !== undefined) metadata.filetype ??= metadata.type
    if (metadata.name !== undefined) metadata.filename ??= metadata.name
    return metadata
  }
}

function pick<T extends object, K extends keyof T>(from: T, keys: readonly K[]): Partial<Pick<T, K>> {
  const picked: Partial<Pick<T, K>> = {}
  for (const key of keys) if (from[key] !== undefined) picked[key] = from[key]
  return picked
}
