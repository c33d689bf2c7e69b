import { EMPTY_RANGES } from 'tus-reconcile-protocol'
import { PartitionPlan } from '../../partitioning/partition-plan.js'
import { orderOfFile } from '../../partitioning/priority.js'
import { HedgeBudget } from '../../redundancy/hedge-budget.js'
import { BlockLeaves } from '../blocks/block-leaves.js'
import { Claims } from '../blocks/claims.js'
import type { CommitPlace } from '../commit/commit-place.js'
import type { BodyLimits } from '../kept/body-limits.js'
import type { EventLog } from '../log/event-log.js'
import type { LoggedModel } from '../model/logged-model.js'
import type { ResolvedOptions } from '../options.js'
import type { Clock, Digester, Randomness, Source } from '../ports.js'
import { Reconciliation } from '../reconciliation/reconciliation.js'
import { StoredSearch } from '../reconciliation/stored-search.js'
import { EventStreams } from '../servers/event-streams.js'
import { Operations } from '../servers/operations.js'
import { PathGauge } from '../servers/path-gauge.js'
import type { ServerDirectory } from '../servers/server-directory.js'
import { Acknowledgements } from '../sessions/acknowledgements.js'
import { SessionOutcomes } from '../sessions/session-outcomes.js'
import type { SessionLimits } from '../sessions/session-share.js'
import { SessionShare } from '../sessions/session-share.js'
import { SessionStarter } from '../sessions/session-starter.js'
import { Terminations } from '../sessions/terminations.js'
import { UploadStatuses } from '../sessions/upload-status.js'
import type { TransferContext } from '../transfer-context.js'
import { nameSession } from '../transfer-context.js'
import { Alarm } from '../waiting/alarm.js'
import type { Rests } from '../waiting/rests.js'
import { Assigner } from './assigner.js'
import { FlowControl } from './flow-control.js'
import { Patience } from './patience.js'
import { Probes } from './probes.js'
import { RiskWatch } from './risk-watch.js'
import { Sampler } from './sampler.js'

export interface TransferParts {
  readonly group: string
  readonly client: string
  readonly place: CommitPlace
  readonly options: ResolvedOptions
  readonly source: Source
  readonly digester: Digester
  readonly clock: Clock
  readonly randomness: Randomness
  readonly log: EventLog
  readonly directory: ServerDirectory
  readonly model: LoggedModel
  readonly bodies: BodyLimits
  readonly rests: Rests
  readonly isSavingData: () => boolean
  readonly sessions: SessionLimits
}

/** What one transfer is made of, each part knowing the parts that it needs. Nothing in it moves by itself. */
export class TransferAssembly {
  readonly alarm: Alarm
  readonly context: TransferContext
  readonly operations: Operations
  readonly claims: Claims
  readonly terminations: Terminations
  readonly outcomes: SessionOutcomes
  readonly starter: SessionStarter
  readonly watch: RiskWatch
  readonly gauge: PathGauge
  readonly flow: FlowControl
  readonly assigner: Assigner
  readonly probes: Probes
  readonly streams: EventStreams
  readonly reconciliation: Reconciliation
  readonly search: StoredSearch
  readonly patience: Patience
  readonly sampler: Sampler
  readonly #acknowledgements: Acknowledgements
  readonly #stop = new AbortController()
  #failure: Error | undefined

  constructor(parts: TransferParts) {
    this.alarm = new Alarm(parts.clock)
    const context = this.#createContext(parts)
    this.context = context
    this.operations = new Operations(context)
    this.claims = new Claims(context, this.operations, {
      onAnswer: (store, answer) => {
        this.reconciliation.onClaimAnswer(store, answer)
        this.search.onAttached(store, answer.attached)
      },
      onRefusal: (store, refusal) => this.reconciliation.onClaimRefused(store, refusal),
    })
    this.#acknowledgements = new Acknowledgements(context, this.claims)
    this.terminations = new Terminations(context, this.operations)
    this.outcomes = new SessionOutcomes(context, {
      ...{ claims: this.claims, terminations: this.terminations },
      askForNews: (store) => this.reconciliation.askForNews(this.operations, store),
    })
    this.starter = new SessionStarter(context, this)
    this.watch = new RiskWatch(context, this)
    this.gauge = new PathGauge(context)
    this.flow = new FlowControl(context, this)
    this.assigner = new Assigner(context, this)
    this.probes = new Probes(context, this.watch)
    this.sampler = new Sampler(context, this.watch)
    this.reconciliation = new Reconciliation(context, this.outcomes)
    this.search = new StoredSearch(context, this)
    this.streams = new EventStreams(context, {
      onEvent: (store, event) => this.reconciliation.onEvent(store.id, event),
      isInDoubt: (store) => this.watch.isInDoubt(store),
    })
    this.patience = new Patience(context, this)
  }

  /** Why the transfer was stopped from within. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** Ends every request; what the servers hold stays. */
  stop(): void {
    this.#stop.abort()
    this.alarm.ring()
  }

  #createContext({ digester, ...parts }: TransferParts): TransferContext {
    const { options, source, log, directory } = parts
    const share = options.redundancy ? options.redundancy.budget : 0
    const plan = new PartitionPlan(source.sizeBytes)
    const order = orderOfFile(source, options.priority)
    return {
      ...parts,
      plan,
      order,
      statuses: new UploadStatuses((uploadID, by) => this.outcomes.supersede(uploadID, { via: 'client', by })),
      budget: new HedgeBudget({ share, allowanceBytes: 2 * options.partitioning.initialSize }),
      leaves: new BlockLeaves(source, digester),
      runners: new Map(),
      histories: new Map(),
      share: new SessionShare({
        ...{ limits: parts.sessions, plan, directory, priority: order[0]?.priority ?? 'normal' },
        ...{ max: options.maxSessions, onRoom: () => this.alarm.ring() },
      }),
      noteRoundTrip: (store, roundTripMs) => this.gauge.note(store, roundTripMs),
      signal: this.#stop.signal,
      onlyHome: EMPTY_RANGES,
      atHome: EMPTY_RANGES,
      isSearching: false,
      acknowledge: (id, offset) => this.#acknowledgements.take(id, offset),
      noteCut: (session, cause, attempt) =>
        log.emit({ type: 'cut', ...nameSession(this.context, session), cause, attempt }),
      hasAlternative: (store) => directory.stores().some((other) => other.id !== store && other.state === 'ready'),
      wake: () => this.alarm.ring(),
      noteProgress: () => this.patience.noteProgress(),
      fail: (error) => {
        this.#failure ??= error
        this.stop()
      },
    }
  }
}
