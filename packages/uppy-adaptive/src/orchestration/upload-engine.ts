import { RiskModel } from 'upload-predictor'
import { Connector } from './connector.js'
import type { LoggedEvent } from './event-log.js'
import { EventLog } from './event-log.js'
import { Journal } from './journal.js'
import type { ResolvedOptions } from './options.js'
import type { Clock, Digester, JournalStorage, Randomness, ServerPort, Source } from './ports.js'
import type { Store } from './server-directory.js'
import { ServerDirectory } from './server-directory.js'
import type { TransferParts, TransferResult } from './transfer.js'
import { Transfer } from './transfer.js'
import { toError, UploadError } from './upload-error.js'
import type { UploadStats } from './upload-stats.js'
import { summarize } from './upload-stats.js'
import type { UploadStatus } from './upload-status.js'

/** What the engine needs of the world. */
export interface UploadHost {
  readonly clock: Clock
  readonly randomness: Randomness
  readonly digester: Digester
  readonly journal: JournalStorage | undefined
  /** Shows an error that is not the upload's, such as a listener's. */
  reportError(error: unknown): void
  openSource(): Promise<Source>
  createPort(endpoint: string, server: number): ServerPort
  /** Uploads to a server without our extension; resolves to the file's URL. */
  uploadPlain(o: { source: Source; signal: AbortSignal; onProgress: (ackedBytes: number) => void }): Promise<string>
}

export interface UploadResult {
  /** The committed file on the primary. */
  readonly url: string
  /** Bytes. */
  readonly size: number
  /** Merkle root over SHA-256 block digests, base64url; null from a plain tus server. */
  readonly digest: string | null
  readonly stats: UploadStats
}

type State = 'idle' | 'running' | 'paused' | 'done' | 'failed' | 'cancelled'

/** One file's upload: find the servers, transfer, commit. Pausing keeps what the servers hold; cancelling ends it everywhere. */
export class UploadEngine {
  readonly #host: UploadHost
  readonly #options: ResolvedOptions
  readonly #log: EventLog
  readonly #model = new RiskModel()
  #directory: ServerDirectory
  #stop = new AbortController()
  readonly #client: string
  #startedMs = 0
  #state: State = 'idle'
  #transfer: Transfer | undefined
  #continue: (() => void) | undefined
  #running: Promise<UploadResult> | undefined
  /** The transfer in progress, settled whatever comes of it. */
  #transferring: Promise<unknown> = Promise.resolve()
  /** This upload's group, once it has one: a second start goes on with it. */
  #group: string | undefined

  constructor(host: UploadHost, options: ResolvedOptions) {
    this.#host = host
    this.#options = options
    this.#client = host.randomness.id()
    this.#log = new EventLog(
      () => ({ at: host.clock.epochMs(), elapsedMs: host.clock.now() - this.#startedMs }),
      (error) => host.reportError(error),
    )
    this.#directory = new ServerDirectory(this.#log)
  }

  get state(): State {
    return this.#state
  }

  /** Every upload of every partition so far, with its status. */
  get uploads(): readonly UploadStatus[] {
    return this.#transfer?.statuses.uploads ?? []
  }

  /** Calls back for every decision and outcome; the returned function ends that. */
  on(_name: 'event', listener: (event: LoggedEvent) => void): () => void {
    return this.#log.subscribe(listener)
  }

  /** The last 10,000 events, one JSON object a line. */
  toNdjson(): string {
    return this.#log.toNdjson()
  }

  /** May be called again after it failed. @throws UploadError; aborting the signal stops and keeps what the servers hold (`aborted`). */
  start(o: { signal?: AbortSignal } = {}): Promise<UploadResult> {
    this.#running ??= this.#run(o.signal).catch((error: unknown) => {
      this.#running = undefined
      throw error
    })
    return this.#running
  }

  /** Stops every request; resolves when nothing runs. What the servers acknowledged is kept. */
  async pause(): Promise<void> {
    if (this.#state !== 'running' && this.#state !== 'idle') return
    this.#state = 'paused'
    this.#log.emit({ type: 'paused' })
    this.#transfer?.stop()
    await this.#transferring
  }

  async resume(): Promise<void> {
    if (this.#state !== 'paused') return
    this.#state = 'running'
    this.#log.emit({ type: 'resumed' })
    this.#continue?.()
  }

  /** Ends the upload everywhere: no session, block or file of it stays on any server that can be reached. */
  async cancel(): Promise<void> {
    if (this.#state === 'done' || this.#state === 'cancelled') return
    this.#state = 'cancelled'
    this.#stop.abort()
    this.#transfer?.stop()
    this.#continue?.()
    const wasRunning = this.#running !== undefined
    await this.#running?.catch(() => {})
    if (!wasRunning && this.#group !== undefined) await this.#transfer?.terminate().catch(() => {})
    this.#log.emit({ type: 'cancelled' })
  }

  async #run(outer: AbortSignal | undefined): Promise<UploadResult> {
    this.#startedMs = this.#host.clock.now()
    this.#stop = new AbortController()
    this.#directory = new ServerDirectory(this.#log)
    const abort = () => {
      this.#stop.abort()
      this.#transfer?.stop()
      this.#continue?.()
    }
    if (outer?.aborted) abort()
    outer?.addEventListener('abort', abort)
    if (this.#state === 'idle' || this.#state === 'failed') this.#state = 'running'
    try {
      const result = await this.#upload()
      this.#state = 'done'
      return result
    } catch (error) {
      throw this.#explain(error)
    } finally {
      outer?.removeEventListener('abort', abort)
      this.#stop.abort()
    }
  }

  #explain(error: unknown): UploadError {
    if (this.#state === 'cancelled') return new UploadError('cancelled', 'the upload was cancelled', { cause: error })
    this.#state = 'failed'
    const explained = this.#stop.signal.aborted
      ? new UploadError('aborted', 'the upload was stopped; start it again to go on', { cause: error })
      : error
    const failure =
      explained instanceof UploadError
        ? explained
        : new UploadError('gave-up', toError(explained).message, { cause: explained })
    this.#log.emit({ type: 'error', code: failure.code, message: failure.message })
    return failure
  }

  async #upload(): Promise<UploadResult> {
    const source = await this.#host.openSource()
    try {
      const { clock, randomness } = this.#host
      const connector = new Connector({
        directory: this.#directory,
        log: this.#log,
        clock,
        randomness,
        giveUpAfterMs: this.#options.giveUpAfterMs,
      })
      const primary = this.#host.createPort(this.#options.endpoint, 0)
      for (const [i, mirror] of this.#options.mirrors.entries()) {
        const port = this.#host.createPort(mirror.endpoint, i + 1)
        void connector.connectMirror(port, i + 1, {
          signal: this.#stop.signal,
          onReady: (store) => this.#welcome(store),
        })
      }
      const capabilities = await connector.connectPrimary(primary, this.#stop.signal)
      const homeId = capabilities.storeId
      if (capabilities.kind === 'tus' || homeId === undefined) return await this.#uploadPlain(source)
      return await this.#uploadReconciled(source, homeId)
    } finally {
      await source.close()
    }
  }

  #welcome(store: Store): void {
    this.#model.heard({ nowMs: this.#host.clock.now(), store: store.id })
    this.#transfer?.welcome()
  }

  async #uploadPlain(source: Source): Promise<UploadResult> {
    if (this.#options.mirrors.length > 0) {
      const message = `${this.#options.endpoint} is a tus server without the reconcile extension: uploading to it alone, without mirrors`
      this.#log.emit({ type: 'warning', code: 'plain-server', message, endpoint: this.#options.endpoint })
    }
    const onProgress = (ackedBytes: number) =>
      this.#log.emit({ type: 'progress', ackedBytes, totalBytes: source.sizeBytes })
    for (;;) {
      await this.#whilePaused()
      const pass = new AbortController()
      const abort = () => pass.abort()
      const pauseNow = this.#log.subscribe((event) => event.type === 'paused' && abort())
      this.#stop.signal.addEventListener('abort', abort)
      try {
        const url = await this.#host.uploadPlain({ source, signal: pass.signal, onProgress })
        return { url, size: source.sizeBytes, digest: null, stats: summarize(this.#log.events()) }
      } catch (error) {
        if (this.#stop.signal.aborted || !pass.signal.aborted) throw error
      } finally {
        pauseNow()
        this.#stop.signal.removeEventListener('abort', abort)
      }
    }
  }

  async #uploadReconciled(source: Source, homeId: string): Promise<UploadResult> {
    const journal = new Journal(this.#host.journal, source, this.#options.endpoint)
    const known = await journal.recall()
    if (known?.homeId === homeId && known.sizeBytes === source.sizeBytes) this.#group ??= known.group
    for (let isFirst = true; ; isFirst = false) {
      await this.#whilePaused()
      const resume = this.#group !== undefined
      const group = this.#group ?? this.#host.randomness.id()
      this.#group = group
      if (isFirst || !resume)
        await this.#announce(journal, { group, homeId, sizeBytes: source.sizeBytes, resumed: resume })
      try {
        const done = await this.#transferOnce({ group, homeId, source, resume })
        if (!done) continue
        await journal.forget()
        return { url: done.url, size: source.sizeBytes, digest: done.root, stats: summarize(this.#log.events()) }
      } catch (error) {
        if (!(await this.#forgetGone(error, journal))) throw error
        // what a journal remembered is gone from the servers: the file goes there anew
        if (!isFirst || !resume) throw error
      } finally {
        if (this.#state === 'cancelled') await this.#terminate(journal)
      }
    }
  }

  async #announce(
    journal: Journal,
    o: { group: string; homeId: string; sizeBytes: number; resumed: boolean },
  ): Promise<void> {
    const { group, homeId, sizeBytes, resumed } = o
    this.#log.emit({ type: 'started', group, sizeBytes, resumed })
    await journal.remember({ version: 1, group, homeId, sizeBytes, startedAt: this.#host.clock.epochMs() })
  }

  async #transferOnce(
    o: Pick<TransferParts, 'group' | 'homeId' | 'source' | 'resume'>,
  ): Promise<TransferResult | undefined> {
    const { clock, randomness, digester } = this.#host
    const transfer = new Transfer({
      ...o,
      client: this.#client,
      options: this.#options,
      digester,
      clock,
      randomness,
      log: this.#log,
      directory: this.#directory,
      model: this.#model,
    })
    this.#transfer = transfer
    if (this.#stop.signal.aborted) transfer.stop()
    const running = transfer.run()
    this.#transferring = running.catch(() => {})
    return running
  }

  /** True when the servers no longer have the group. A file that changed is nobody's any more: its group is ended. */
  async #forgetGone(error: unknown, journal: Journal): Promise<boolean> {
    if (!(error instanceof UploadError) || (error.code !== 'gone' && error.code !== 'source-changed')) return false
    if (error.code === 'source-changed') await this.#terminate(journal)
    else await journal.forget()
    this.#group = undefined
    return error.code === 'gone'
  }

  async #terminate(journal: Journal): Promise<void> {
    await journal.forget()
    try {
      await this.#transfer?.terminate()
    } catch (error) {
      const message = `the servers could not be told that the upload is over (${toError(error).message}); they drop it when it expires`
      this.#log.emit({ type: 'warning', code: 'cancel-incomplete', message })
    }
  }

  async #whilePaused(): Promise<void> {
    while (this.#state === 'paused') {
      await new Promise<void>((resolve) => {
        this.#continue = resolve
      })
    }
    if (this.#stop.signal.aborted) throw new UploadError('aborted', 'stopped')
  }
}
