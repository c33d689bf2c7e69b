import type { UploadLimit } from 'tus-reconcile-protocol'
import type { StoreId } from '../../partitioning/partition-plan.js'
import type { KnownFile } from '../kept/journal.js'
import type { KnownServers } from '../kept/known-servers.js'
import type { KnownStores } from '../kept/known-stores.js'
import type { RouteHistory } from '../kept/route-history.js'
import type { EventLog } from '../log/event-log.js'
import type { FileFacts, MirrorOptions } from '../mirror-options.js'
import type { LoggedModel } from '../model/logged-model.js'
import type { ResolvedOptions } from '../options.js'
import type { Clock, Randomness, ServerPort } from '../ports.js'
import { onAbort } from '../timing.js'
import { toError, UploadError } from '../upload-error.js'
import type { PauseGate } from '../waiting/pause-gate.js'
import type { Rests } from '../waiting/rests.js'
import { Connector } from './connector.js'
import type { Store } from './server-directory.js'
import { ServerDirectory } from './server-directory.js'

interface SearchParts {
  readonly clock: Clock
  readonly randomness: Randomness
  readonly rests: Rests
  readonly known: KnownServers
  readonly gate: PauseGate
  readonly routes: RouteHistory
  readonly stores: KnownStores
  readonly options: ResolvedOptions
  readonly log: EventLog
  readonly model: LoggedModel
  readonly primary: ServerPort
  readonly createPort: (address: MirrorOptions, server: number) => ServerPort
  /** Ends the search. */
  readonly signal: AbortSignal
  /** A mirror has answered. */
  readonly onReady: () => void
  /** The application's choice of mirrors is not to be used. */
  readonly onFailure: (error: Error) => void
}

/** Finds the servers of one start of an upload: where its file goes, and what takes its bytes besides. */
export class ServerSearch {
  readonly directory: ServerDirectory
  readonly #parts: SearchParts
  readonly #connector: Connector
  readonly #stop = new AbortController()
  /** The primary's store, as soon as it has answered by another way than the primary's own. */
  readonly #otherWay: Promise<StoreId>
  #noteOtherWay: (home: StoreId) => void = () => {}
  #homeByOtherWay: StoreId | undefined
  #isPrimaryAway = false
  #extensions: readonly string[] = []
  #limit: UploadLimit = {}

  constructor(parts: SearchParts) {
    const { clock, rests, randomness, known, gate, routes, stores, options, log, model, signal } = parts
    this.#parts = parts
    this.#otherWay = new Promise((resolve) => {
      this.#noteOtherWay = resolve
    })
    if (signal.aborted) this.end()
    else onAbort(signal, () => this.end())
    this.directory = new ServerDirectory(log, routes)
    this.#connector = new Connector({
      ...{ directory: this.directory, log, clock, rests, randomness, known, gate },
      giveUpAfterMs: options.giveUpAfterMs,
      onHeard: (store, endpoint) => {
        void stores.note(endpoint, store)
        model.heard({ nowMs: clock.now(), store })
      },
      onAway: () => {
        this.#isPrimaryAway = true
        for (const { id } of this.directory.stores()) void this.#noteByMemory(id)
      },
    })
  }

  /** Begins to look for mirrors, in the background. */
  lookForMirrors(file: FileFacts): void {
    const { mirrors } = this.#parts.options
    if (typeof mirrors !== 'function') return this.#connectAll(mirrors)
    mirrors(file)
      .then((chosen) => this.#connectAll(chosen))
      .catch((error: unknown) => this.#refuseChoice(toError(error)))
  }

  /**
   * The primary's store, by whichever way it answers first; undefined when it is a plain server. When it is away, the home of
   * an upload that goes on is known all the same, and where the file may be committed elsewhere it is a mirror's.
   * @throws UploadError `not-a-tus-server`, `unreachable`, `refused`
   */
  findHome(knowing: Promise<KnownFile | undefined>): Promise<string | undefined> {
    return Promise.race([this.#askPrimary(knowing), this.#otherWay.then((home) => knowing.then(() => home))])
  }

  async #askPrimary(knowing: Promise<KnownFile | undefined>): Promise<string | undefined> {
    const { primary } = this.#parts
    const { signal } = this.#stop
    try {
      const { kind, storeId, extensions, limit } = await this.#connector.connectPrimary(primary, signal)
      this.#extensions = extensions
      this.#limit = limit
      await knowing
      return kind === 'reconcile' ? storeId : undefined
    } catch (error) {
      if (signal.aborted || !isUnreachable(error)) throw error
      const home = this.#homeByOtherWay ?? this.#findHomeElsewhere(await knowing, error.message)
      if (home === undefined) throw error
      this.#connect(primary, 0)
      return home
    }
  }

  /** Whether the primary takes an upload whose length is not known when it begins. */
  get defersLength(): boolean {
    return this.#extensions.includes('creation-defer-length')
  }

  /** What the primary announces of bodies. */
  get limit(): UploadLimit {
    return this.#limit
  }

  /** Whether the error may come of a server that is another than it was: asked anew it may be taken for what it is. */
  mayHaveChanged(error: unknown): boolean {
    const isOfServer = error instanceof UploadError && (error.code === 'refused' || error.code === 'gone')
    return isOfServer && this.#connector.usedMemory
  }

  /** Ends it; the next one asks every server anew. */
  giveUp(): void {
    this.#connector.forget()
    this.end()
  }

  end(): void {
    this.#stop.abort()
  }

  #connectAll(mirrors: readonly MirrorOptions[]): void {
    if (this.#stop.signal.aborted) return
    for (const [i, mirror] of mirrors.entries()) this.#connect(this.#parts.createPort(mirror, i + 1), i + 1)
  }

  #connect(port: ServerPort, server: number): void {
    const onReady = ({ id }: Store) => {
      if (port.endpoint === this.#parts.primary.endpoint) this.#noteHome(id)
      else void this.#noteByMemory(id)
      this.#parts.onReady()
    }
    void this.#connector.connectMirror(port, server, { signal: this.#stop.signal, onReady })
  }

  #noteHome(id: StoreId): void {
    this.#homeByOtherWay = id
    this.#noteOtherWay(id)
  }

  /** What the primary's address led to before is believed while it is silent: it may lead elsewhere by now. */
  async #noteByMemory(id: StoreId): Promise<void> {
    const { stores, primary } = this.#parts
    if (!this.#isPrimaryAway || (await stores.storeOf(primary.endpoint)) !== id) return
    if (this.#homeByOtherWay === undefined) this.#noteHome(id)
  }

  #refuseChoice(error: Error): void {
    const { log, onFailure, options } = this.#parts
    if (this.#stop.signal.aborted) return
    if (!(error instanceof UploadError) || error.code !== 'mirrors-failed') return onFailure(error)
    const { endpoint } = options
    log.emit({ type: 'warning', code: error.code, message: `${error.message}; the file goes to ${endpoint} alone` })
  }

  #findHomeElsewhere(known: KnownFile | undefined, why: string): string | undefined {
    const { options, log } = this.#parts
    const stores = this.directory.stores()
    if (known?.entry.kind === 'group' && stores.length > 0) return known.entry.homeId
    const home = stores.find((store) => store.commitsElsewhere)
    if (options.commitAt !== 'any' || !home) return undefined
    const { endpoint } = home.route
    log.emit({
      ...{ type: 'warning', code: 'home-elsewhere', endpoint },
      message: `${why}; the file is committed at ${endpoint} instead`,
    })
    return home.id
  }
}

function isUnreachable(error: unknown): error is UploadError {
  return error instanceof UploadError && error.code === 'unreachable'
}
