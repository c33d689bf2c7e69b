import type { BodyLimits } from './body-limits.js'
import type { EventLog } from './event-log.js'
import { Journal } from './journal.js'
import type { LoggedModel } from './logged-model.js'
import type { ResolvedOptions } from './options.js'
import type { PauseGate } from './pause-gate.js'
import type { Clock, Digester, JournalStorage, Randomness, Source } from './ports.js'
import { Progress } from './progress.js'
import type { ServerDirectory } from './server-directory.js'
import type { TransferResult } from './transfer.js'
import { Transfer } from './transfer.js'
import { toError, UploadError } from './upload-error.js'
import type { UploadStatus } from './upload-status.js'

interface GroupUploadParts {
  readonly clock: Clock
  readonly randomness: Randomness
  readonly digester: Digester
  readonly journal: JournalStorage | undefined
  readonly options: ResolvedOptions
  readonly log: EventLog
  readonly model: LoggedModel
  readonly bodies: BodyLimits
  readonly client: string
  readonly gate: PauseGate
}

/** What is known once the servers have answered: anew at every start. */
interface GroupUploadStart {
  readonly source: Source
  readonly homeId: string
  readonly directory: ServerDirectory
  readonly signal: AbortSignal
}

/** One file's upload as a group at its home: a transfer after another, over pauses and starts, until one is committed. */
export class GroupUpload {
  readonly #parts: GroupUploadParts
  /** Once it has one: a second start goes on with it. */
  #group: string | undefined
  /** Servers hold something of the group: that they do not know it is no mistake then. */
  #isAcknowledged = false
  #journal: Journal | undefined
  #progress: Progress | undefined
  #transfer: Transfer | undefined
  /** The transfer in progress, settled whatever comes of it. */
  #transferring: Promise<unknown> = Promise.resolve()

  constructor(parts: GroupUploadParts) {
    this.#parts = parts
  }

  /** Every upload of every partition so far, with its status. */
  get uploads(): readonly UploadStatus[] {
    return this.#transfer?.statuses.uploads ?? []
  }

  /** Stops every request; resolves when nothing runs. What the servers hold stays. */
  async stop(): Promise<void> {
    this.#transfer?.stop()
    await this.#transferring
  }

  /** A server has answered its probe while the upload runs. */
  welcome(): void {
    this.#transfer?.welcome()
  }

  /** Transfers until the home has made the file. @throws UploadError; what the servers hold stays, for another start */
  async run(start: GroupUploadStart): Promise<TransferResult> {
    const { source, homeId, signal } = start
    const journal = new Journal(this.#parts.journal, source, this.#parts.options.endpoint)
    this.#journal = journal
    const known = await journal.recall()
    if (known?.homeId === homeId && known.sizeBytes === source.sizeBytes) this.#group ??= known.group
    for (let isFirst = true; ; isFirst = false) {
      await this.#parts.gate.pass(signal)
      const resume = this.#group !== undefined
      const wasAcknowledged = this.#isAcknowledged
      this.#group ??= this.#parts.randomness.id()
      if (isFirst || !resume) await this.#announce(start, { group: this.#group, resumed: resume })
      try {
        const done = await this.#transferOnce(start, { group: this.#group, resume })
        if (!done) continue
        await journal.forget()
        return done
      } catch (error) {
        if (!(await this.#forgetGone(error))) throw error
        // what a journal remembered is gone from the servers, or never came there: the file goes there anew
        if (!resume || (!isFirst && wasAcknowledged)) throw error
      }
    }
  }

  /** Ends the group on every server, and forgets it. A home that cannot be told is a warning. */
  async terminate(): Promise<void> {
    await this.#journal?.forget()
    try {
      await this.#transfer?.terminate()
    } catch (error) {
      const message = `the servers could not be told that the upload is over (${toError(error).message}); they drop it when it expires`
      this.#parts.log.emit({ type: 'warning', code: 'cancel-incomplete', message })
    }
  }

  async #announce({ source, homeId }: GroupUploadStart, o: { group: string; resumed: boolean }): Promise<void> {
    const { sizeBytes } = source
    this.#parts.log.emit({ type: 'started', group: o.group, sizeBytes, resumed: o.resumed })
    const startedAt = this.#parts.clock.epochMs()
    await this.#journal?.remember({ version: 1, group: o.group, homeId, sizeBytes, startedAt })
  }

  async #transferOnce(
    { signal, ...start }: GroupUploadStart,
    o: { group: string; resume: boolean },
  ): Promise<TransferResult | undefined> {
    const transfer = new Transfer({ ...this.#parts, ...start, ...o, progress: this.#progressOf(start.source) })
    this.#transfer = transfer
    if (signal.aborted) transfer.stop()
    const running = transfer.run().finally(() => {
      this.#isAcknowledged ||= transfer.hasAcknowledged
    })
    this.#transferring = running.catch(() => {})
    return running
  }

  /** One for all transfers, so that it never goes back; a source of another size is another file. */
  #progressOf({ sizeBytes }: Source): Progress {
    if (this.#progress?.totalBytes !== sizeBytes) this.#progress = new Progress(this.#parts.log, sizeBytes)
    return this.#progress
  }

  /** True when the servers no longer have the group. A file that changed is nobody's any more: its group is ended. */
  async #forgetGone(error: unknown): Promise<boolean> {
    if (!(error instanceof UploadError) || (error.code !== 'gone' && error.code !== 'source-changed')) return false
    if (error.code === 'source-changed') await this.terminate()
    else await this.#journal?.forget()
    this.#group = undefined
    this.#isAcknowledged = false
    return error.code === 'gone'
  }
}
