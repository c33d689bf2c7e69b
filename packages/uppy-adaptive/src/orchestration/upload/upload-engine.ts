import { BodyLimits } from '../kept/body-limits.js'
import { Journal } from '../kept/journal.js'
import { KnownStores } from '../kept/known-stores.js'
import { RouteHistory } from '../kept/route-history.js'
import type { LoggedEvent } from '../log/event-log.js'
import { EventLog } from '../log/event-log.js'
import type { UploadProgress } from '../log/progress.js'
import { LoggedModel } from '../model/logged-model.js'
import { PredictorMemory } from '../model/predictor-memory.js'
import type { ResolvedOptions } from '../options.js'
import { PlainUpload } from '../plain/plain-upload.js'
import type { Clock } from '../ports.js'
import type { UploadStatus } from '../sessions/upload-status.js'
import { toError, UploadError } from '../upload-error.js'
import { PauseGate } from '../waiting/pause-gate.js'
import { Rests } from '../waiting/rests.js'
import { UploadTurn } from '../waiting/upload-turn.js'
import type { UploadResult } from './delivery.js'
import { Delivery } from './delivery.js'
import { GroupUpload } from './group-upload.js'
import { PageLife } from './page-life.js'
import type { UploadHost } from './upload-host.js'

type State = 'idle' | 'running' | 'paused' | 'done' | 'failed' | 'cancelled'

/** One file's upload: find the servers, transfer, commit. Pausing keeps what the servers hold; cancelling ends it everywhere. */
export class UploadEngine {
  readonly #clock: Clock
  readonly #log: EventLog
  readonly #model: LoggedModel
  readonly #memory: PredictorMemory
  readonly #bodies: BodyLimits
  readonly #routes: RouteHistory
  readonly #stores: KnownStores
  readonly #gate = new PauseGate()
  readonly #turn: UploadTurn
  readonly #group: GroupUpload
  readonly #plain: PlainUpload
  readonly #delivery: Delivery
  readonly #pageLife: PageLife
  #stop = new AbortController()
  /** Why the upload stopped itself. */
  #failure: Error | undefined
  #state: State = 'idle'
  #pausedSinceMs = 0
  #running: Promise<UploadResult> | undefined

  constructor(host: UploadHost, options: ResolvedOptions) {
    const { clock, randomness, digester, sessions } = host
    const client = randomness.id()
    const onListenerError = (error: unknown) => host.reportError(error)
    this.#log = new EventLog({ clock, upload: client.slice(-8), onListenerError })
    const log = this.#log
    const model = new LoggedModel(log)
    this.#clock = clock
    this.#model = model
    const rests = new Rests(clock)
    const { priors } = options.predictor
    this.#memory = new PredictorMemory({ clock, storage: host.memory, log, model, priors })
    this.#bodies = new BodyLimits({ clock, storage: host.memory, hosts: host.servers.bodies })
    this.#routes = new RouteHistory({ clock, storage: host.memory, pasts: host.servers.routes })
    this.#stores = new KnownStores({ clock, digester, storage: host.memory })
    const journal = new Journal({ storage: host.journal, clock, digester, log, endpoint: options.endpoint })
    this.#turn = new UploadTurn({ clock, log, gate: this.#gate, journal, turns: host.turns })
    const own = { rests, bodies: this.#bodies, log, model, turn: this.#turn, journal }
    const shared = { clock, randomness, options, ...own }
    const isSavingData = () => host.page.isSavingData()
    this.#group = new GroupUpload({ digester, client, sessions, isSavingData, ...shared })
    this.#plain = new PlainUpload({ plain: host.plain, ...shared })
    const [group, plain, gate] = [this.#group, this.#plain, this.#gate]
    const kept = { routes: this.#routes, stores: this.#stores, journal }
    this.#delivery = new Delivery({ host, options, log, model, rests, gate, group, plain, ...kept })
    this.#pageLife = new PageLife({
      ...{ page: host.page, clock, gate: this.#gate, log, model, memory: this.#memory, rests },
      stopAll: () => this.#stopAll(),
    })
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
    this.#pausedSinceMs = this.#clock.now()
    this.#gate.close('user')
    this.#log.emit({ type: 'paused' })
    await this.#stopAll()
  }

  async resume(): Promise<void> {
    if (this.#state !== 'paused') return
    this.#state = 'running'
    const nowMs = this.#clock.now()
    this.#log.emit({ type: 'resumed' }, nowMs)
    // what nobody was asked to send is no silence
    this.#model.localPause({ nowMs, gapMs: nowMs - this.#pausedSinceMs })
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
      await this.#delivery.recall()
      await this.#terminate()
    }
    this.#log.emit({ type: 'cancelled' })
  }

  async #run(outer: AbortSignal | undefined): Promise<UploadResult> {
    if (this.#isCancelled()) throw new UploadError('cancelled', 'the upload was cancelled: make a new one')
    this.#stop = new AbortController()
    this.#failure = undefined
    const abort = () => {
      this.#stop.abort()
      void this.#stopAll()
    }
    if (outer?.aborted) abort()
    outer?.addEventListener('abort', abort)
    if (this.#state !== 'paused') this.#begin()
    const endKeeping = this.#memory.keep()
    const stay = this.#pageLife.watch()
    try {
      await this.#clock.breathe()
      await this.#memory.recall()
      await this.#bodies.recall()
      await this.#routes.recall()
      await this.#stores.recall()
      const result = await this.#delivery.run({
        signal: this.#stop.signal,
        isCancelled: () => this.#isCancelled(),
        fail: (error) => this.#fail(error),
      })
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

  async #stopAll(): Promise<void> {
    this.#turn.leave()
    await Promise.all([this.#group.stop(), this.#plain.stop()])
  }

  async #terminate(): Promise<void> {
    // another page goes on with it
    if (await this.#turn.isOthers()) return
    await this.#delivery.terminate()
    this.#turn.leave()
  }

  #fail(error: Error): void {
    this.#failure = error
    this.#stop.abort()
    void this.#stopAll()
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
}
