import { PatchHistory } from '../partitioning/patch-history.js'
import { hostRuleOf } from '../partitioning/patch-sizer.js'
import type { EventLog } from './event-log.js'
import { PlainJournal } from './journal.js'
import type { LoggedModel } from './logged-model.js'
import type { ResolvedOptions } from './options.js'
import type { PauseGate } from './pause-gate.js'
import { PlainTransfer } from './plain-transfer.js'
import type { Clock, JournalStorage, PlainPort, Randomness, ServerPort, Source } from './ports.js'
import { Progress } from './progress.js'
import { UploadError } from './upload-error.js'

export interface PlainParts {
  readonly clock: Clock
  readonly randomness: Randomness
  readonly journal: JournalStorage | undefined
  readonly options: ResolvedOptions
  readonly log: EventLog
  readonly model: LoggedModel
  readonly gate: PauseGate
  readonly plain: PlainPort
}

/** So often an upload is begun anew because its server no longer knows it, without a byte in between (guess). */
const MOST_BEGINNINGS = 3

/** One file's upload to a server without our extension, over pauses and starts: one transfer after another. */
export class PlainUpload {
  readonly #parts: PlainParts
  readonly #history = new PatchHistory()
  #url: string | undefined
  #journal: PlainJournal | undefined
  #progress: Progress | undefined
  #transfer: PlainTransfer | undefined
  #transferring: Promise<unknown> = Promise.resolve()

  constructor(parts: PlainParts) {
    this.#parts = parts
  }

  /** Ends every request; resolves when nothing runs. What the server holds stays. */
  async stop(): Promise<void> {
    this.#transfer?.stop()
    await this.#transferring
  }

  /** Resolves to the file's URL. @throws UploadError; what the server holds stays, for another start */
  async run(o: { source: Source; probe: ServerPort; signal: AbortSignal }): Promise<string> {
    const { options, gate, journal } = this.#parts
    this.#journal = new PlainJournal(journal, o.source, options.endpoint)
    const known = await this.#journal.recall()
    if (known?.sizeBytes === o.source.sizeBytes) this.#url ??= known.url
    for (let beginnings = 0; ; ) {
      await gate.pass(o.signal)
      const end = await this.#transferOnce(o)
      if (end.kind === 'stopped') continue
      await this.#journal.forget()
      if (end.kind === 'done') return end.url
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

  /** Ends on the server what was begun there; nothing when nothing was. @throws Error when the server cannot be told so */
  async terminate(): Promise<void> {
    await this.#journal?.forget()
    if (this.#url !== undefined) await this.#parts.plain.terminate(this.#url)
    this.#url = undefined
  }

  #transferOnce(o: { source: Source; probe: ServerPort; signal: AbortSignal }): ReturnType<PlainTransfer['run']> {
    const { sizeBytes } = o.source
    if (this.#progress?.totalBytes !== sizeBytes) this.#progress = new Progress(this.#parts.log, sizeBytes)
    const transfer = new PlainTransfer({
      ...this.#parts,
      source: o.source,
      probe: o.probe,
      progress: this.#progress,
      history: this.#history,
      host: hostRuleOf(this.#parts.options.endpoint),
      url: this.#url,
      onUrl: (url) => {
        this.#url = url
        void this.#journal?.remember({ version: 1, url, sizeBytes })
      },
    })
    this.#transfer = transfer
    if (o.signal.aborted) transfer.stop()
    const running = transfer.run()
    this.#transferring = running.catch(() => {})
    return running
  }
}
