import type { UploadLimit } from 'tus-reconcile-protocol'
import { PatchHistory } from '../../partitioning/patch-history.js'
import type { BodyLimits } from '../kept/body-limits.js'
import { refuseChange } from '../kept/file-state.js'
import type { Journal, KnownFile, Whereabouts } from '../kept/journal.js'
import type { EventLog } from '../log/event-log.js'
import type { UploadProgress } from '../log/progress.js'
import { Progress } from '../log/progress.js'
import type { LoggedModel } from '../model/logged-model.js'
import type { ResolvedOptions } from '../options.js'
import type { Clock, PlainPort, Randomness, ServerPort, Source } from '../ports.js'
import { toError, UploadError } from '../upload-error.js'
import type { Rests } from '../waiting/rests.js'
import type { UploadTurn } from '../waiting/upload-turn.js'
import { PlainTransfer } from './plain-transfer.js'

export interface PlainParts {
  readonly clock: Clock
  readonly randomness: Randomness
  readonly journal: Journal
  readonly options: ResolvedOptions
  readonly log: EventLog
  readonly model: LoggedModel
  readonly turn: UploadTurn
  readonly rests: Rests
  readonly bodies: BodyLimits
  readonly plain: PlainPort
}

interface PlainStart {
  readonly source: Source
  readonly known: KnownFile | undefined
  readonly probe: ServerPort
  /** What the server announces of bodies. */
  readonly limit: UploadLimit
  readonly signal: AbortSignal
}

/** So often an upload is begun anew because its server no longer knows it, without a byte in between (guess). */
const MOST_BEGINNINGS = 3

/** One file's upload to a server without our extension, over pauses and starts: one transfer after another. */
export class PlainUpload {
  readonly #parts: PlainParts
  readonly #history = new PatchHistory()
  #url: string | undefined
  #progress: Progress | undefined
  #transfer: PlainTransfer | undefined
  #transferring: Promise<unknown> = Promise.resolve()

  constructor(parts: PlainParts) {
    this.#parts = parts
  }

  get progress(): UploadProgress | undefined {
    return this.#progress?.latest
  }

  /** Ends every request; resolves when nothing runs. What the server holds stays. */
  async stop(): Promise<void> {
    this.#transfer?.stop()
    await this.#transferring
  }

  /** Resolves to the file's URL. @throws UploadError; what the server holds stays, for another start */
  async run(o: PlainStart): Promise<string> {
    const { options, turn, journal } = this.#parts
    const onFollowed = (ackedBytes: number) => this.#progressOf(o.source).report(ackedBytes)
    for (let [beginnings, isFirst] = [0, true]; ; isFirst = false) {
      const followed = await turn.pass(o.source, { signal: o.signal, onFollowed })
      if (isFirst || followed) await this.#goOnWith(followed?.known ?? o.known, followed?.where)
      const end = await this.#transferOnce(o)
      if (end.kind === 'stopped') continue
      await journal.forget()
      if (end.kind === 'done') {
        this.#parts.log.emit({ type: 'uploaded', url: end.url })
        return end.url
      }
      this.#url = undefined
      beginnings = end.hasProgressed ? 0 : beginnings + 1
      const message = `${options.endpoint} no longer has what was begun there (${end.why})`
      if (beginnings >= MOST_BEGINNINGS)
        throw new UploadError('gone', `${message}, ${beginnings} times running: does it keep uploads?`)
      this.#parts.log.emit({
        type: 'warning',
        code: 'begun-anew',
        message: `${message}: the file is sent from its start`,
        endpoint: options.endpoint,
      })
    }
  }

  /**
   * Ends on the server what was begun there, and forgets it; nothing when nothing was. A server that cannot be told is a
   * warning. `known`: by a journal, for an upload that ends before its server has answered.
   */
  async terminate(known?: KnownFile): Promise<void> {
    const { journal, plain, log, options } = this.#parts
    await journal.forget()
    const url = this.#url ?? (known?.entry.kind === 'plain' ? known.entry.url : undefined)
    this.#url = undefined
    try {
      if (url !== undefined) await plain.terminate(url)
    } catch (error) {
      const { endpoint } = options
      const message = `${endpoint} could not be told that the upload is over (${toError(error).message}); what it holds stays there until it expires`
      log.emit({ type: 'warning', code: 'cancel-incomplete', message, endpoint })
    }
  }

  /** What is remembered, unless the file is another by now: a plain server would put the two together. */
  async #goOnWith(known: KnownFile | undefined, told: Whereabouts | undefined): Promise<void> {
    const entry = known?.entry ?? told
    if (entry?.kind !== 'plain') return
    this.#url = entry.url
    try {
      if (known) refuseChange(known.entry, known.file, { isTrusting: true })
    } catch (error) {
      await this.terminate()
      throw error
    }
  }

  #progressOf({ sizeBytes, bufferBytes }: Source): Progress {
    const isStream = bufferBytes !== undefined
    if (!this.#progress || (!isStream && this.#progress.totalBytes !== sizeBytes))
      this.#progress = new Progress({ ...this.#parts, totalBytes: sizeBytes })
    return this.#progress
  }

  #transferOnce(o: PlainStart): ReturnType<PlainTransfer['run']> {
    const transfer = new PlainTransfer({
      ...this.#parts,
      source: o.source,
      probe: o.probe,
      limit: o.limit,
      progress: this.#progressOf(o.source),
      history: this.#history,
      url: this.#url,
      onUrl: (url) => {
        this.#url = url
        void this.#parts.journal.remember({ kind: 'plain', url })
      },
    })
    this.#transfer = transfer
    if (o.signal.aborted) transfer.stop()
    const running = transfer.run()
    this.#transferring = running.catch(() => {})
    return running
  }
}
