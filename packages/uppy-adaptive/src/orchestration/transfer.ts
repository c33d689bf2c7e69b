import { EMPTY_RANGES, totalBytes } from 'tus-reconcile-protocol'
import type { RiskModel } from 'upload-predictor'
import { PartitionPlan } from '../partitioning/partition-plan.js'
import { HedgeBudget } from '../redundancy/hedge-budget.js'
import { Acknowledgements } from './acknowledgements.js'
import { Alarm } from './alarm.js'
import { Assigner } from './assigner.js'
import { BlockLeaves } from './block-leaves.js'
import { Claims } from './claims.js'
import type { CommitOutcome } from './commit.js'
import { runCommit } from './commit.js'
import { openEmptyGroup } from './empty-file.js'
import type { EventLog } from './event-log.js'
import { EventStreams } from './event-streams.js'
import { Operations } from './operations.js'
import type { ResolvedOptions } from './options.js'
import { Patience } from './patience.js'
import type { Clock, Digester, Randomness, Source } from './ports.js'
import { Probes } from './probes.js'
import { Progress } from './progress.js'
import { Reconciliation } from './reconciliation.js'
import { RiskWatch } from './risk-watch.js'
import { Sampler } from './sampler.js'
import type { ServerDirectory } from './server-directory.js'
import { SessionOutcomes } from './session-outcomes.js'
import { SessionStarter } from './session-starter.js'
import { adoptStored } from './stored-blocks.js'
import { Terminations } from './terminations.js'
import type { TransferContext } from './transfer-context.js'
import { nameSession } from './transfer-context.js'
import { UploadStatuses } from './upload-status.js'

/** Sessions are scored this often (METHODS, finding 3: 250–500 ms). */
const TICK_MS = 250
/** A tick this late means that we slept, not the servers. */
const LOCAL_PAUSE_MS = 1_500

export interface TransferParts {
  readonly group: string
  readonly client: string
  readonly homeId: string
  readonly options: ResolvedOptions
  readonly source: Source
  readonly digester: Digester
  readonly clock: Clock
  readonly randomness: Randomness
  readonly log: EventLog
  readonly directory: ServerDirectory
  readonly model: RiskModel
  /** Continue a group that servers may know already. */
  readonly resume: boolean
}

export type TransferResult = Extract<CommitOutcome, { kind: 'committed' }>

/** One run of an upload, from whatever the servers hold to the commit: the loop that decides and acts. */
export class Transfer {
  readonly plan: PartitionPlan
  readonly statuses: UploadStatuses
  readonly #parts: TransferParts
  readonly #context: TransferContext
  readonly #operations: Operations
  readonly #claims: Claims
  readonly #acknowledgements: Acknowledgements
  readonly #terminations: Terminations
  readonly #outcomes: SessionOutcomes
  readonly #watch: RiskWatch
  readonly #assigner: Assigner
  readonly #probes: Probes
  readonly #streams: EventStreams
  readonly #reconciliation: Reconciliation
  readonly #patience: Patience
  readonly #progress: Progress
  readonly #sampler: Sampler
  readonly #alarm: Alarm
  readonly #stop = new AbortController()
  #failure: Error | undefined
  #lastTickMs = 0

  constructor(parts: TransferParts) {
    this.#parts = parts
    this.plan = new PartitionPlan(parts.source.sizeBytes)
    this.statuses = new UploadStatuses((uploadID, by) => this.#outcomes.supersede(uploadID, { via: 'client', by }))
    this.#alarm = new Alarm(parts.clock)
    this.#context = this.#createContext()
    this.#operations = new Operations(this.#context)
    this.#claims = new Claims(this.#context, this.#operations, (store, answer) =>
      this.#reconciliation.onClaimAnswer(store, answer),
    )
    this.#acknowledgements = new Acknowledgements(this.#context, this.#claims)
    const terminations = new Terminations(this.#context, this.#operations)
    this.#terminations = terminations
    this.#outcomes = new SessionOutcomes(this.#context, { claims: this.#claims, terminations })
    const starter = new SessionStarter(this.#context, {
      claims: this.#claims,
      operations: this.#operations,
      terminations,
      outcomes: this.#outcomes,
    })
    this.#watch = new RiskWatch(this.#context, { starter, outcomes: this.#outcomes })
    this.#assigner = new Assigner(this.#context, starter, this.#watch)
    this.#probes = new Probes(this.#context, this.#watch)
    this.#sampler = new Sampler(this.#context, this.#watch)
    this.#progress = new Progress(parts.log, parts.source.sizeBytes)
    this.#streams = new EventStreams(this.#context, (store, event) => this.#reconciliation.onEvent(store.id, event))
    this.#reconciliation = new Reconciliation(this.#context, this.#outcomes)
    this.#patience = new Patience(this.#context, {
      claims: this.#claims,
      operations: this.#operations,
      reconciliation: this.#reconciliation,
      outcomes: this.#outcomes,
      terminations,
    })
  }

  /** Runs until the file is committed (the result) or the transfer is stopped (undefined). Nothing runs on afterwards. */
  async run(): Promise<TransferResult | undefined> {
    const { clock } = this.#parts
    this.#lastTickMs = clock.now()
    try {
      if (this.plan.sizeBytes === 0) await openEmptyGroup(this.#context)
      if (this.#parts.resume)
        await adoptStored(this.#context, {
          operations: this.#operations,
          claims: this.#claims,
          terminations: this.#terminations,
        })
      for (;;) {
        await this.#upload()
        if (this.#stop.signal.aborted) break
        const outcome = await this.#commit()
        if (outcome) return outcome
      }
    } finally {
      this.#stop.abort()
      await this.#outcomes.stopAll()
    }
    if (this.#failure) throw this.#failure
    return undefined
  }

  /** Stops every request; what the servers hold stays. */
  stop(): void {
    this.#stop.abort()
    this.#alarm.ring()
  }

  /** Ends the whole group on every server. */
  async terminate(): Promise<void> {
    await this.#operations.ask(this.#context.homeId, { op: 'terminate' }, new AbortController().signal)
  }

  /** A server has answered its probe while the upload runs. */
  welcome(): void {
    this.#context.wake()
  }

  async #upload(): Promise<void> {
    const { clock } = this.#parts
    while (!this.#stop.signal.aborted && !this.plan.isVerified) {
      const nowMs = clock.now()
      this.#decide(nowMs)
      if (this.plan.isVerified) break
      await this.#alarm.wait(this.#lastTickMs + TICK_MS - nowMs)
    }
    this.#outcomes.completeVerified()
    // the last blocks may have been verified since the last decision
    this.#account()
  }

  #account(): void {
    const ackedBytes = totalBytes(this.plan.acknowledged())
    this.#context.budget.acknowledged(ackedBytes)
    this.#progress.report(ackedBytes)
  }

  #decide(nowMs: number): void {
    const { model, log } = this.#parts
    const isTick = nowMs - this.#lastTickMs >= TICK_MS
    if (isTick) {
      const gapMs = nowMs - this.#lastTickMs
      this.#lastTickMs = nowMs
      if (gapMs > LOCAL_PAUSE_MS) {
        model.localPause({ nowMs, gapMs })
        log.emit({ type: 'localPause', gapMs })
      }
      model.tick({ nowMs })
      this.#probes.pass(nowMs)
      this.#watch.trustAnswering()
    }
    this.#watch.pass(nowMs)
    for (const store of this.#parts.directory.stores()) this.#streams.open(store)
    this.#outcomes.completeVerified()
    this.#assigner.pass()
    this.#claims.pass(nowMs)
    if (isTick) this.#sampler.sample()
    this.#account()
    this.#patience.pass(nowMs)
  }

  async #commit(): Promise<TransferResult | undefined> {
    const outcome = await runCommit(this.#context, this.#operations, this.#parts.digester)
    if (outcome.kind === 'committed') return outcome
    if (outcome.kind === 'incomplete')
      this.#reconciliation.resend([...outcome.missing, ...outcome.bad], 'the home lacks them')
    return undefined
  }

  #createContext(): TransferContext {
    const { group, client, homeId, options, source, digester, clock, randomness, log, directory, model } = this.#parts
    const allowanceBytes = 2 * options.partitioning.initialSize
    return {
      ...{
        group,
        client,
        homeId,
        options,
        source,
        clock,
        randomness,
        log,
        directory,
        model,
        plan: this.plan,
        statuses: this.statuses,
      },
      budget: new HedgeBudget({ share: options.redundancy ? options.redundancy.budget : 0, allowanceBytes }),
      leaves: new BlockLeaves(source, digester),
      runners: new Map(),
      signal: this.#stop.signal,
      onlyHome: EMPTY_RANGES,
      atHome: EMPTY_RANGES,
      acknowledge: (id, offset) => this.#acknowledgements.take(id, offset),
      noteCut: (session, cause, attempt) =>
        log.emit({ type: 'cut', ...nameSession(this.#context, session), cause, attempt }),
      hasAlternative: (store) => directory.stores().some((other) => other.id !== store && other.state === 'ready'),
      wake: () => this.#alarm.ring(),
      noteProgress: () => this.#patience.noteProgress(),
      fail: (error) => {
        this.#failure ??= error
        this.stop()
      },
    }
  }
}
