import { BodyLimits } from './body-limits.js'
import type { LoggedEvent } from './event-log.js'
import { EventLog } from './event-log.js'
import { GroupUpload } from './group-upload.js'
import type { KnownFile } from './journal.js'
import { Journal } from './journal.js'
import type { KnownServers } from './known-servers.js'
import { LoggedModel } from './logged-model.js'
import type { HeaderSource, ResolvedOptions } from './options.js'
import { PauseGate } from './pause-gate.js'
import { PlainUpload } from './plain-upload.js'
import type {
  Clock,
  Digester,
  JournalStorage,
  Page,
  PlainPort,
  Randomness,
  ServerPort,
  Source,
  Turns,
} from './ports.js'
import { PredictorMemory } from './predictor-memory.js'
import type { UploadProgress } from './progress.js'
import { Rests } from './rests.js'
import { ServerDirectory } from './server-directory.js'
import { ServerSearch } from './server-search.js'
import type { SessionLimits } from './session-share.js'
import { toError, UploadError } from './upload-error.js'
import type { UploadStats } from './upload-stats.js'
import { summarize } from './upload-stats.js'
import type { UploadStatus } from './upload-status.js'
import { UploadTurn } from './upload-turn.js'

/** What the engine needs of the world. */
export interface UploadHost {
  readonly clock: Clock
  readonly randomness: Randomness
  readonly digester: Digester
  /** Of all uploads of this page or process together. */
  readonly sessions: SessionLimits
  readonly journal: JournalStorage | undefined
  /** Where what predictions learned is kept from one upload to the next. */
  readonly memory: JournalStorage | undefined
  readonly page: Page
  /** Pages that may upload the same file; undefined: there are none to know of. */
  readonly turns: Turns | undefined
  /** Shows an error that is not the upload's, such as a listener's. */
  reportError(error: unknown): void
  openSource(): Promise<Source>
  /** What the servers of this page or process are. */
  readonly servers: KnownServers
  /** @param headers a mirror's own */
  createPort(endpoint: string, server: number, headers?: HeaderSource): ServerPort
  /** The primary, as a server without our extension. */
  readonly plain: PlainPort
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
  readonly #model: LoggedModel
  readonly #memory: PredictorMemory
  readonly #bodies: BodyLimits
  readonly #gate = new PauseGate()
  readonly #journal: Journal
  readonly #rests: Rests
  readonly #turn: UploadTurn
  readonly #group: GroupUpload
  readonly #plain: PlainUpload
  readonly #primary: ServerPort
  #directory: ServerDirectory
  /** What the journal knew of the file when it was opened. */
  #known: KnownFile | undefined
  #stop = new AbortController()
  /** Why the upload stopped itself. */
  #failure: Error | undefined
  #state: State = 'idle'
  #running: Promise<UploadResult> | undefined

  constructor(host: UploadHost, options: ResolvedOptions) {
    this.#host = host
    this.#options = options
    const { clock, randomness, digester, sessions } = host
    const client = randomness.id()
    const onListenerError = (error: unknown) => host.reportError(error)
    this.#log = new EventLog({ clock, upload: client.slice(-8), onListenerError })
    this.#model = new LoggedModel(this.#log)
    const { priors } = options.predictor
    this.#memory = new PredictorMemory({ clock, storage: host.memory, log: this.#log, model: this.#model, priors })
    this.#bodies = new BodyLimits({ clock, storage: host.memory })
    this.#directory = new ServerDirectory(this.#log)
    this.#primary = host.createPort(options.endpoint, 0)
    const { endpoint } = options
    this.#journal = new Journal({ storage: host.journal, clock, digester, log: this.#log, endpoint })
    this.#rests = new Rests(clock)
    const { turns } = host
    this.#turn = new UploadTurn({ clock, log: this.#log, gate: this.#gate, journal: this.#journal, turns })
    const own = {
      rests: this.#rests,
      bodies: this.#bodies,
      log: this.#log,
      model: this.#model,
      turn: this.#turn,
      journal: this.#journal,
    }
    const shared = { clock, randomness, options, ...own }
    const isSavingData = () => host.page.isSavingData()
    this.#group = new GroupUpload({ digester, client, sessions, isSavingData, ...shared })
    this.#plain = new PlainUpload({ plain: host.plain, ...shared })
  }

  get state(): State {
    return this.#state
  }

  /** Every upload of every partition so far, with its status. */
  get uploads(): readonly UploadStatus[] {
    return this.#group.uploads
  }

  /** How far it is, as the last event `progress` told; undefined before its servers have answered. */
  get progress(): UploadProgress | undefined {
    return this.#group.progress ?? this.#plain.progress
  }

  /** Calls back for every decision and outcome; the returned function ends that. */
  on(_name: 'event', listener: (event: LoggedEvent) => void): () => void {
    return this.#log.subscribe(listener)
  }

  /** The last events of each kind, one JSON object a line (docs/events.md). */
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
    this.#gate.close('user')
    this.#log.emit({ type: 'paused' })
    await this.#stopAll()
  }

  async resume(): Promise<void> {
    if (this.#state !== 'paused') return
    this.#state = 'running'
    this.#log.emit({ type: 'resumed' })
    this.#gate.open('user')
  }

  /** Ends the upload everywhere: no session, block or file of it stays on any server that can be reached. */
  async cancel(): Promise<void> {
    if (this.#state === 'done' || this.#state === 'cancelled') return
    this.#state = 'cancelled'
    this.#stop.abort()
    void this.#stopAll()
    // a start that runs ends the group itself, before it settles
    if (this.#running) await this.#running.catch(() => {})
    else {
      await this.#recallBegun()
      await this.#terminate()
    }
    this.#log.emit({ type: 'cancelled' })
  }

  async #run(outer: AbortSignal | undefined): Promise<UploadResult> {
    if (this.#isCancelled()) throw new UploadError('cancelled', 'the upload was cancelled: make a new one')
    this.#stop = new AbortController()
    this.#failure = undefined
    this.#directory = new ServerDirectory(this.#log)
    const abort = () => {
      this.#stop.abort()
      void this.#stopAll()
    }
    if (outer?.aborted) abort()
    outer?.addEventListener('abort', abort)
    if (this.#state !== 'paused') this.#begin()
    const endKeeping = this.#memory.keep()
    const stay = this.#watchPage()
    try {
      await this.#memory.recall()
      await this.#bodies.recall()
      const result = await this.#upload()
      if (this.#isCancelled()) throw new UploadError('cancelled', 'it was committed when the upload was cancelled')
      this.#state = 'done'
      return result
    } catch (error) {
      if (this.#isCancelled()) await this.#terminate()
      throw this.#explain(error)
    } finally {
      outer?.removeEventListener('abort', abort)
      this.#stop.abort()
      this.#turn.leave()
      stay()
      await endKeeping()
    }
  }

  #watchPage(): () => void {
    const { page, clock } = this.#host
    let asleepSinceMs: number | undefined
    // who starts it is awake
    this.#gate.open('page')
    return page.watch({
      onLeave: () => void this.#memory.save(),
      onOnline: () => this.#rests.endAll(),
      onSleep: (reason) => {
        asleepSinceMs ??= clock.now()
        this.#gate.close('page')
        this.#log.emit({ type: 'asleep', reason })
        void this.#stopAll()
      },
      onWake: () => {
        if (asleepSinceMs === undefined) return
        this.#wake(clock.now() - asleepSinceMs)
        asleepSinceMs = undefined
      },
    })
  }

  /** Nobody's fault: no clock counts the time that nothing ran. */
  #wake(gapMs: number): void {
    const nowMs = this.#host.clock.now()
    this.#log.emit({ type: 'awake', gapMs }, nowMs)
    this.#model.localPause({ nowMs, gapMs })
    this.#log.emit({ type: 'localPause', gapMs }, nowMs)
    this.#gate.open('page')
  }

  async #stopAll(): Promise<void> {
    this.#turn.leave()
    await Promise.all([this.#group.stop(), this.#plain.stop()])
  }

  /** What a page or process before this one has begun: this one has not started, and was not told. */
  async #recallBegun(): Promise<void> {
    const source = await this.#host.openSource().catch(() => undefined)
    // a file that cannot be read any more is not known again
    this.#known ??= await (source && this.#journal.open(source).catch(() => undefined))
    await source?.close()
    await source?.discard?.()
  }

  async #terminate(): Promise<void> {
    const [known, primary, directory] = [this.#known, this.#primary, this.#directory]
    // another page goes on with it
    if (await this.#turn.isOthers()) return
    await this.#group.terminate(known && { known, primary, directory })
    await this.#plain.terminate(known)
    this.#turn.leave()
  }

  #begin(): void {
    this.#state = 'running'
    this.#gate.open('user')
  }

  #isCancelled(): boolean {
    return this.#state === 'cancelled'
  }

  #explain(error: unknown): UploadError {
    if (this.#isCancelled()) return new UploadError('cancelled', 'the upload was cancelled', { cause: error })
    this.#state = 'failed'
    const explained = this.#failure
      ? this.#failure
      : this.#stop.signal.aborted
        ? new UploadError('aborted', 'the upload was stopped; start it again to go on', { cause: error })
        : error
    const failure =
      explained instanceof UploadError
        ? explained
        : new UploadError('gave-up', toError(explained).message, { cause: explained })
    const isOfFile =
      failure.code === 'source-unreadable' || failure.code === 'source-changed' || failure.code === 'bad-source'
    // which names the file
    const message = isOfFile ? 'told to the application alone' : failure.message
    this.#log.emit({ type: 'error', code: failure.code, message })
    return failure
  }

  async #upload(): Promise<UploadResult> {
    const source = await this.#host.openSource()
    try {
      const knowing = this.#journal.open(source).then((known) => {
        this.#known = known
        return known
      })
      // an upload that fails sooner has no use for it
      knowing.catch(() => {})
      const search = this.#search()
      return await this.#uploadTo(search, source, knowing).catch((error: unknown) => {
        search.giveUp()
        if (this.#stop.signal.aborted || this.#group.hasAcknowledged || !search.mayHaveChanged(error)) throw error
        const message = `${toError(error).message}: asking the servers again what they are`
        this.#log.emit({ type: 'warning', code: 'asked-again', message })
        return this.#uploadTo(this.#search(), source, knowing)
      })
    } finally {
      await source.close()
      if (this.#isCancelled()) await source.discard?.()
    }
  }

  #search(): ServerSearch {
    const { clock, randomness, servers, createPort } = this.#host
    return new ServerSearch({
      ...{ clock, rests: this.#rests, randomness, options: this.#options, log: this.#log, model: this.#model },
      ...{ known: servers, primary: this.#primary, createPort, signal: this.#stop.signal },
      onReady: () => this.#group.welcome(),
      onFailure: (error) => {
        this.#failure = error
        this.#stop.abort()
        void this.#stopAll()
      },
    })
  }

  async #uploadTo(
    search: ServerSearch,
    source: Source,
    knowing: Promise<KnownFile | undefined>,
  ): Promise<UploadResult> {
    const { sizeBytes, contentType } = source
    this.#directory = search.directory
    if (source.bufferBytes !== undefined) return this.#uploadStream(search, source, knowing)
    search.lookForMirrors({ sizeBytes, contentType, metadata: this.#options.metadata })
    const homeId = await search.findHome(knowing)
    return homeId === undefined ? await this.#uploadPlain(source) : await this.#uploadGroup(source, homeId)
  }

  /** Of what is read once and has no size yet: one session, to the primary alone, in plain tus. */
  async #uploadStream(
    search: ServerSearch,
    source: Source,
    knowing: Promise<KnownFile | undefined>,
  ): Promise<UploadResult> {
    const { endpoint } = this.#options
    await search.findHome(knowing)
    if (search.defersLength) return await this.#uploadPlain(source, 'a stream of unknown size goes to it alone')
    const message = `${endpoint} takes no upload whose size is not known (Tus-Extension lacks creation-defer-length): give a File, bytes or { path }`
    throw new UploadError('bad-source', message)
  }

  async #uploadPlain(
    source: Source,
    why = 'it is a tus server without the reconcile extension',
  ): Promise<UploadResult> {
    const { mirrors, endpoint } = this.#options
    if (typeof mirrors === 'function' || mirrors.length > 0) {
      const message = `uploading to ${endpoint} without mirrors: ${why}`
      this.#log.emit({ type: 'warning', code: 'plain-server', message, endpoint })
    }
    const { sizeBytes } = source
    this.#log.emit({ type: 'plain', endpoint, sizeBytes: Number.isFinite(sizeBytes) ? sizeBytes : null })
    const [known, probe] = [this.#known, this.#primary]
    const url = await this.#plain.run({ source, known, probe, signal: this.#stop.signal })
    return { url, size: source.sizeBytes, digest: null, stats: summarize(this.#log.events()) }
  }

  async #uploadGroup(source: Source, homeId: string): Promise<UploadResult> {
    const [known, primary, directory] = [this.#known, this.#primary, this.#directory]
    const start = { source, homeId, known, primary, directory, signal: this.#stop.signal }
    const { url, root } = await this.#group.run(start)
    return { url, size: source.sizeBytes, digest: root, stats: summarize(this.#log.events()) }
  }
}
