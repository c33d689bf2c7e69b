import type { CommitOutcome } from '../commit/commit.js'
import { runCommit } from '../commit/commit.js'
import type { Progress } from '../log/progress.js'
import { adoptStored } from '../reconciliation/stored-blocks.js'
import type { UploadStatuses } from '../sessions/upload-status.js'
import type { TransferContext } from '../transfer-context.js'
import { inShortTasks } from '../waiting/short-tasks.js'
import { LOCAL_PAUSE_MS, TICK_MS } from '../waiting/watch-times.js'
import { openEmptyGroup } from './empty-file.js'
import type { TransferParts } from './transfer-assembly.js'
import { TransferAssembly } from './transfer-assembly.js'

export type TransferResult = Extract<CommitOutcome, { kind: 'committed' }>

/** One run of an upload, from whatever the servers hold to the commit: the loop that decides and acts. */
export class Transfer {
  readonly #parts: TransferAssembly
  readonly #context: TransferContext
  readonly #digester: TransferParts['digester']
  readonly #progress: Progress
  readonly #resume: boolean
  #lastTickMs = 0

  /**
   * `progress` is the upload's: what a new transfer does not know yet of the old one's bytes is not reported as less.
   * `resume` continues a group that servers may know already.
   */
  constructor(parts: TransferParts & { readonly progress: Progress; readonly resume: boolean }) {
    const { progress, resume, ...rest } = parts
    this.#parts = new TransferAssembly(rest)
    this.#progress = progress
    this.#context = this.#parts.context
    this.#digester = parts.digester
    this.#resume = resume
  }

  get statuses(): UploadStatuses {
    return this.#context.statuses
  }

  /** Whether any server has said that it holds something of the file. */
  get hasAcknowledged(): boolean {
    return this.#context.plan.acknowledgedBytes > 0
  }

  /** Runs until the file is committed (the result) or the transfer is stopped (undefined). Nothing runs on afterwards. */
  async run(): Promise<TransferResult | undefined> {
    const { signal, plan, clock } = this.#context
    this.#leaveOutHomebound()
    this.#context.share.join()
    try {
      await clock.breathe()
      if (plan.sizeBytes === 0) await openEmptyGroup(this.#context)
      if (this.#resume) await adoptStored(this.#context, this.#parts)
      this.#parts.search.know(plan.verified)
      this.#progress.rest(plan.acknowledgedBytes)
      for (;;) {
        await this.#upload()
        if (signal.aborted) break
        const outcome = await this.#commit()
        if (outcome) return outcome
      }
    } finally {
      this.#parts.stop()
      await this.#parts.outcomes.stopAll()
      this.#context.share.leave()
    }
    if (this.#parts.failure) throw this.#parts.failure
    return undefined
  }

  /** Stops every request; what the servers hold stays. */
  stop(): void {
    this.#parts.stop()
  }

  /** A server has answered its probe while the upload runs. */
  welcome(): void {
    this.#leaveOutHomebound()
    this.#context.wake()
  }

  /** A store that commits files at their home alone refuses sessions of a group that may be committed elsewhere (P210). */
  #leaveOutHomebound(): void {
    const { directory, place } = this.#context
    if (!place.isMovable) return
    for (const { id, commitsElsewhere, route } of directory.stores()) {
      if (commitsElsewhere) continue
      const message = `${route.endpoint} is not run with --commit-at any, which the option commitAt asks for: going on without it`
      directory.exclude(id, 'mirror-commits-at-home', message)
    }
  }

  async #upload(): Promise<void> {
    const { clock, signal, plan } = this.#context
    // a commit that found something missing took its time, which is neither a sleep of ours nor a server's silence
    this.#lastTickMs = clock.now()
    this.#parts.patience.noteProgress()
    while (!signal.aborted && !plan.isVerified) {
      const nowMs = clock.now()
      await inShortTasks(clock, this.#steps(nowMs), () => signal.aborted)
      if (signal.aborted || plan.isVerified) break
      await this.#parts.alarm.wait(this.#lastTickMs + TICK_MS - nowMs)
    }
    this.#parts.outcomes.completeVerified()
    // the last blocks may have been verified since the last decision
    this.#account()
  }

  #account(): void {
    const ackedBytes = this.#context.plan.acknowledgedBytes
    this.#context.budget.acknowledged(ackedBytes)
    this.#progress.report(ackedBytes)
  }

  /** What is decided at one time. Between two of them servers may have said more. */
  *#steps(nowMs: number): Generator<() => void> {
    const { watch, flow, streams, outcomes, assigner, claims, sampler, patience } = this.#parts
    const { clock } = this.#context
    const isTick = nowMs - this.#lastTickMs >= TICK_MS
    // what the model is told and says stands in the log with one time
    yield () => {
      if (isTick) this.#tick(nowMs)
      watch.score(nowMs, isTick)
      if (isTick) sampler.sample(nowMs)
    }
    yield () => watch.treat(clock.now())
    if (isTick) yield () => flow.tick(clock.now())
    for (const store of this.#context.directory.stores()) yield () => streams.open(store)
    yield () => outcomes.completeVerified()
    yield () => assigner.pass()
    yield () => claims.pass(clock.now())
    yield () => this.#account()
    yield () => patience.pass(clock.now())
  }

  #tick(nowMs: number): void {
    const { model } = this.#context
    const gapMs = nowMs - this.#lastTickMs
    this.#lastTickMs = nowMs
    if (gapMs > LOCAL_PAUSE_MS) {
      model.localPause({ nowMs, gapMs })
      this.#parts.patience.noteLocalPause(gapMs)
      this.#progress.rest()
    }
    model.tick({ nowMs })
    this.#parts.probes.pass(nowMs)
    this.#parts.watch.trustAnswering()
  }

  async #commit(): Promise<TransferResult | undefined> {
    const outcome = await runCommit(this.#context, this.#parts.operations, this.#digester)
    if (outcome.kind === 'committed') return outcome
    if (outcome.kind === 'incomplete')
      this.#parts.reconciliation.resend([...outcome.missing, ...outcome.bad], 'the home lacks them')
    return undefined
  }
}
