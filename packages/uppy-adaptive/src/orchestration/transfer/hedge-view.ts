import { blockFloor } from 'tus-reconcile-protocol'
import type { PlannedSession } from '../../partitioning/partition-plan.js'
import type { HedgeSurroundings } from '../../redundancy/hedge-policy.js'
import type { RankedStore } from '../../redundancy/mirror-choice.js'
import type { TransferContext } from '../transfer-context.js'

const LINK_IS_GOOD = 0.5

/** What the policy may ask of the surroundings of a session, each found when it is asked: of a healthy session little is. */
export class HedgeView implements HedgeSurroundings {
  readonly #context: TransferContext
  readonly #session: PlannedSession
  readonly #findAlternatives: (session: PlannedSession) => readonly RankedStore[]
  #alternatives: readonly RankedStore[] | undefined

  constructor(
    context: TransferContext,
    session: PlannedSession,
    findAlternatives: (session: PlannedSession) => readonly RankedStore[],
  ) {
    this.#context = context
    this.#session = session
    this.#findAlternatives = findAlternatives
  }

  /** The stores that could take it now, best first: as they were when somebody asked first. */
  get alternatives(): readonly RankedStore[] {
    this.#alternatives ??= this.#findAlternatives(this.#session)
    return this.#alternatives
  }

  get bestAlternativeMs(): number | undefined {
    return this.alternatives[0]?.expectedMs
  }

  get unassignedBytes(): number {
    return this.#context.plan.unassignedBytes
  }

  get linkIsGood(): boolean {
    return this.#context.model.link().pGood >= LINK_IS_GOOD
  }

  get linkRttMs(): number | undefined {
    const { directory, model } = this.#context
    const known = directory.stores().flatMap(({ id }) => model.store(id).requestRttMs ?? [])
    return known.length === 0 ? undefined : Math.min(...known)
  }

  get sessionsInFlight(): number {
    return this.#context.plan.sessions().length
  }

  get copiesInFlight(): number {
    return this.#context.plan.sessions().filter(({ kind }) => kind === 'copy').length
  }

  get budgetBytes(): number {
    const { acked } = this.#session
    // a copy begins with a block: it sends what of the first one is acknowledged already as well
    return this.#context.budget.availableBytes - (acked - blockFloor(acked))
  }

  get copies(): HedgeSurroundings['copies'] {
    const { isSavingData, options } = this.#context
    return !isSavingData() && options.redundancy
  }
}
