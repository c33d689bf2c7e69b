import { CommitPlace } from '../commit/commit-place.js'
import { endGroup } from '../commit/group-end.js'
import type { BodyLimits } from '../kept/body-limits.js'
import { refuseChange } from '../kept/file-state.js'
import type { Journal, KnownFile, Whereabouts } from '../kept/journal.js'
import type { EventLog } from '../log/event-log.js'
import type { UploadProgress } from '../log/progress.js'
import { Progress } from '../log/progress.js'
import type { LoggedModel } from '../model/logged-model.js'
import type { ResolvedOptions } from '../options.js'
import type { Clock, Digester, Randomness, ServerPort, Source } from '../ports.js'
import type { ServerDirectory } from '../servers/server-directory.js'
import type { SessionLimits } from '../sessions/session-share.js'
import type { UploadStatus } from '../sessions/upload-status.js'
import type { TransferResult } from '../transfer/transfer.js'
import { Transfer } from '../transfer/transfer.js'
import { toError, UploadError } from '../upload-error.js'
import type { Rests } from '../waiting/rests.js'
import type { UploadTurn } from '../waiting/upload-turn.js'

interface GroupUploadParts {
  readonly clock: Clock
  readonly randomness: Randomness
  readonly digester: Digester
  readonly journal: Journal
  readonly options: ResolvedOptions
  readonly log: EventLog
  readonly model: LoggedModel
  readonly bodies: BodyLimits
  readonly rests: Rests
  readonly isSavingData: () => boolean
  readonly sessions: SessionLimits
  readonly client: string
  readonly turn: UploadTurn
}

type GroupEntry = Extract<Whereabouts, { kind: 'group' }>

/** What is known once the servers have answered: anew at every start. */
interface GroupUploadStart {
  readonly source: Source
  /** The primary's store, where the file is to be committed. */
  readonly homeId: string
  readonly primary: ServerPort
  readonly known: KnownFile | undefined
  readonly directory: ServerDirectory
  readonly signal: AbortSignal
}

/** One file's upload as a group at its home: a transfer after another, over pauses and starts, until one is committed. */
export class GroupUpload {
  readonly #parts: GroupUploadParts
  /** Once it has one: a second start goes on with it. */
  #group: string | undefined
  #start: Pick<GroupUploadStart, 'primary' | 'directory'> | undefined
  #place: CommitPlace | undefined
  /** Servers hold something of the group: that they do not know it is no mistake then. */
  #isAcknowledged = false
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

  /** Whether any server has said that it holds something of the file. */
  get hasAcknowledged(): boolean {
    return this.#isAcknowledged
  }

  get progress(): UploadProgress | undefined {
    return this.#progress?.latest
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
    const { homeId, signal, source } = start
    const { journal, turn, randomness } = this.#parts
    this.#start = start
    const onFollowed = (ackedBytes: number) => this.#progressOf(source).report(ackedBytes)
    for (let isFirst = true; ; isFirst = false) {
      const followed = await turn.pass(source, { signal, onFollowed })
      if (isFirst || followed) await this.#goOnWith(followed?.known ?? start.known, followed?.where, homeId)
      const resume = this.#group !== undefined
      this.#group ??= randomness.id()
      this.#place ??= new CommitPlace(homeId, this.#mayMove(start))
      if (isFirst || !resume) await this.#announce(start, { group: this.#group, place: this.#place, resumed: resume })
      try {
        const done = await this.#transferOnce(start, { group: this.#group, place: this.#place, resume })
        if (!done) continue
        await journal.forget()
        return done
      } catch (error) {
        if (!(await this.#forgetGone(error))) throw error
        // what a journal or a long pause remembers is gone from the servers, or never came there: the file goes there anew
        if (!resume || (!isFirst && this.uploads.length > 0)) throw error
      }
    }
  }

  /**
   * Ends the group on every server, and forgets it. A home that cannot be told is a warning. `begun`: what a journal knows,
   * for an upload that ends before its servers have answered.
   */
  async terminate(begun?: {
    readonly known: KnownFile
    readonly primary: ServerPort
    readonly directory: ServerDirectory
  }): Promise<void> {
    const { journal, log } = this.#parts
    await journal.forget()
    const entry = begun?.known.entry
    const [group, place] =
      entry?.kind === 'group' ? [this.#group ?? entry.group, this.#place ?? placeOf(entry)] : [this.#group, this.#place]
    const start = this.#start ?? begun
    if (group === undefined || !place || !start) return
    this.#group = undefined
    try {
      await endGroup({ ...this.#parts, ...start, group, place })
    } catch (error) {
      const message = `the servers could not be told that the upload is over (${toError(error).message}); they drop it when it expires`
      log.emit({ type: 'warning', code: 'cancel-incomplete', message })
    }
  }

  /**
   * What is remembered, or was told by a page that had its turn, unless the file is another by now: nobody can finish its
   * upload then. The servers compare all that they have.
   */
  async #goOnWith(known: KnownFile | undefined, told: Whereabouts | undefined, homeId: string): Promise<void> {
    const entry = known?.entry ?? told
    // of one that may be committed anywhere a mirror may be the home
    if (entry?.kind !== 'group' || (entry.homeId !== homeId && !entry.any)) {
      if (!this.#isAcknowledged && this.#place?.home !== homeId) this.#forget()
      return
    }
    if (this.#group !== entry.group) this.#place = placeOf(entry)
    this.#group = entry.group
    this.#place ??= placeOf(entry)
    try {
      if (known) refuseChange(known.entry, known.file, { isTrusting: false })
    } catch (error) {
      await this.terminate()
      throw error
    }
  }

  async #announce(
    { source }: GroupUploadStart,
    o: { group: string; place: CommitPlace; resumed: boolean },
  ): Promise<void> {
    const { sizeBytes } = source
    this.#parts.log.emit({ type: 'started', group: o.group, sizeBytes, resumed: o.resumed })
    const { home: homeId, isMovable } = o.place
    await this.#parts.journal.remember({ kind: 'group', group: o.group, homeId, ...(isMovable ? { any: true } : {}) })
  }

  /** Whether the option asks for it and the home's operator allows it. */
  #mayMove({ homeId, directory }: GroupUploadStart): boolean {
    if (this.#parts.options.commitAt !== 'any') return false
    const home = directory.get(homeId)
    if (home?.commitsElsewhere) return true
    const endpoint = home?.route.endpoint ?? this.#parts.options.endpoint
    const message = `${endpoint} lets its files be committed nowhere else (no Reconcile-Commit: any): the option commitAt is without effect`
    this.#parts.log.emit({ type: 'warning', code: 'commit-at-primary', message, endpoint })
    return false
  }

  async #transferOnce(
    { signal, ...start }: GroupUploadStart,
    o: { group: string; place: CommitPlace; resume: boolean },
  ): Promise<TransferResult | undefined> {
    const { source, directory } = start
    const transfer = new Transfer({ ...this.#parts, source, directory, ...o, progress: this.#progressOf(source) })
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
    if (this.#progress?.totalBytes !== sizeBytes)
      this.#progress = new Progress({ ...this.#parts, totalBytes: sizeBytes })
    return this.#progress
  }

  /** True when the servers no longer have the group. A file that changed is nobody's any more: its group is ended. */
  async #forgetGone(error: unknown): Promise<boolean> {
    if (!(error instanceof UploadError) || (error.code !== 'gone' && error.code !== 'source-changed')) return false
    if (error.code === 'source-changed') await this.terminate()
    else await this.#parts.journal.forget()
    this.#forget()
    return error.code === 'gone'
  }

  #forget(): void {
    this.#group = undefined
    this.#place = undefined
    this.#isAcknowledged = false
  }
}

function placeOf({ homeId, any }: GroupEntry): CommitPlace {
  return new CommitPlace(homeId, any ?? false)
}
