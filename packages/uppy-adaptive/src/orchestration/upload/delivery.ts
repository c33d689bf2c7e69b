import type { Journal, KnownFile } from '../kept/journal.js'
import type { KnownStores } from '../kept/known-stores.js'
import type { RouteHistory } from '../kept/route-history.js'
import type { EventLog } from '../log/event-log.js'
import type { LoggedModel } from '../model/logged-model.js'
import type { ResolvedOptions } from '../options.js'
import type { PlainUpload } from '../plain/plain-upload.js'
import type { ServerPort, Source } from '../ports.js'
import { ServerDirectory } from '../servers/server-directory.js'
import { ServerSearch } from '../servers/server-search.js'
import { toError, UploadError } from '../upload-error.js'
import type { PauseGate } from '../waiting/pause-gate.js'
import type { Rests } from '../waiting/rests.js'
import type { GroupUpload } from './group-upload.js'
import type { UploadHost } from './upload-host.js'
import type { UploadStats } from './upload-stats.js'
import { summarize } from './upload-stats.js'

export interface UploadResult {
  /** The committed file on the primary. */
  readonly url: string
  /** Bytes. */
  readonly size: number
  /** Merkle root over SHA-256 block digests, base64url; null from a plain tus server. */
  readonly digest: string | null
  readonly stats: UploadStats
}

interface DeliveryParts {
  readonly host: UploadHost
  readonly options: ResolvedOptions
  readonly log: EventLog
  readonly model: LoggedModel
  readonly rests: Rests
  readonly gate: PauseGate
  readonly routes: RouteHistory
  readonly stores: KnownStores
  readonly journal: Journal
  readonly group: GroupUpload
  readonly plain: PlainUpload
}

/** One start of an upload. */
interface DeliveryStart {
  readonly signal: AbortSignal
  readonly isCancelled: () => boolean
  /** Ends the start from within. */
  readonly fail: (error: Error) => void
}

/** A file's way to its servers: they are found, and it goes to them in sessions, or to a plain tus server alone. */
export class Delivery {
  readonly #parts: DeliveryParts
  readonly #primary: ServerPort
  #directory: ServerDirectory
  /** What the journal knew of the file when it was opened. */
  #known: KnownFile | undefined

  constructor(parts: DeliveryParts) {
    this.#parts = parts
    this.#primary = parts.host.createPort({ endpoint: parts.options.endpoint }, 0)
    this.#directory = new ServerDirectory(parts.log)
  }

  /** What a page or process before this one has begun: this one has not started, and was not told. */
  async recall(): Promise<void> {
    const source = await this.#parts.host.openSource().catch(() => undefined)
    // a file that cannot be read any more is not known again
    this.#known ??= await (source && this.#parts.journal.open(source).catch(() => undefined))
    await source?.close()
    await source?.discard?.()
  }

  /** @throws UploadError, or what the application's code threw */
  async run(start: DeliveryStart): Promise<UploadResult> {
    this.#directory = new ServerDirectory(this.#parts.log)
    const source = await this.#parts.host.openSource()
    try {
      const knowing = this.#parts.journal.open(source).then((known) => {
        this.#known = known
        return known
      })
      // an upload that fails sooner has no use for it
      knowing.catch(() => {})
      const search = this.#search(start)
      return await this.#send(start, { search, source, knowing }).catch((error: unknown) => {
        search.giveUp()
        if (start.signal.aborted || this.#parts.group.hasAcknowledged || !search.mayHaveChanged(error)) throw error
        const message = `${toError(error).message}: asking the servers again what they are`
        this.#parts.log.emit({ type: 'warning', code: 'asked-again', message })
        return this.#send(start, { search: this.#search(start), source, knowing })
      })
    } finally {
      await source.close()
      if (start.isCancelled()) await source.discard?.()
    }
  }

  #search({ signal, fail }: DeliveryStart): ServerSearch {
    const { host, rests, gate, routes, stores, options, log, model, group } = this.#parts
    const { clock, randomness, servers, createPort } = host
    return new ServerSearch({
      ...{ clock, rests, gate, routes, stores, randomness, options, log, model },
      ...{ known: servers, primary: this.#primary, createPort, signal },
      onReady: () => group.welcome(),
      onFailure: fail,
    })
  }

  async #send(start: DeliveryStart, found: Found): Promise<UploadResult> {
    const { search, source, knowing } = found
    const { sizeBytes, contentType } = source
    this.#directory = search.directory
    if (source.bufferBytes !== undefined) return this.#sendStream(start, found)
    search.lookForMirrors({ sizeBytes, contentType, metadata: this.#parts.options.metadata })
    const homeId = await search.findHome(knowing)
    return homeId === undefined ? await this.#sendPlain(start, found) : await this.#sendGroup(start, source, homeId)
  }

  /** Of what is read once and has no size yet: one session, to the primary alone, in plain tus. */
  async #sendStream(start: DeliveryStart, found: Found): Promise<UploadResult> {
    const { search, knowing } = found
    const { endpoint } = this.#parts.options
    await search.findHome(knowing)
    if (search.defersLength) return await this.#sendPlain(start, found, 'a stream of unknown size goes to it alone')
    const message = `${endpoint} takes no upload whose size is not known (Tus-Extension lacks creation-defer-length): give a File, bytes or { path }`
    throw new UploadError('bad-source', message)
  }

  async #sendPlain(
    { signal }: DeliveryStart,
    { source, search }: Found,
    why = 'it is a tus server without the reconcile extension',
  ): Promise<UploadResult> {
    const { options, log, plain } = this.#parts
    const { mirrors, endpoint } = options
    if (typeof mirrors === 'function' || mirrors.length > 0) {
      const message = `uploading to ${endpoint} without mirrors: ${why}`
      log.emit({ type: 'warning', code: 'plain-server', message, endpoint })
    }
    const { sizeBytes } = source
    log.emit({ type: 'plain', endpoint, sizeBytes: Number.isFinite(sizeBytes) ? sizeBytes : null })
    const url = await plain.run({ source, known: this.#known, probe: this.#primary, limit: search.limit, signal })
    return { url, size: source.sizeBytes, digest: null, stats: summarize(log.events()) }
  }

  async #sendGroup({ signal }: DeliveryStart, source: Source, homeId: string): Promise<UploadResult> {
    const { group, log, host } = this.#parts
    // this far, and a transfer's beginning, are a long task each where the code is run for the first time
    await host.clock.breathe()
    const [known, primary, directory] = [this.#known, this.#primary, this.#directory]
    const { url, root } = await group.run({ source, homeId, known, primary, directory, signal })
    return { url, size: source.sizeBytes, digest: root, stats: summarize(log.events()) }
  }

  /** Ends what was begun, on every server that can be reached. */
  async terminate(): Promise<void> {
    const [known, primary, directory] = [this.#known, this.#primary, this.#directory]
    await this.#parts.group.terminate(known && { known, primary, directory })
    await this.#parts.plain.terminate(known)
  }
}

/** What one way of a start goes by. */
interface Found {
  readonly search: ServerSearch
  readonly source: Source
  readonly knowing: Promise<KnownFile | undefined>
}
