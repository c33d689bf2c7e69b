import type { SessionRecord } from '../records/partition-index.js'
import type { Budget } from './budgets.js'
import { Refusal } from './refusal.js'
import type { SessionEnd } from './session.js'
import { TrackedMap } from './tracked-map.js'

/** The partition that their records name: no client's has this name. */
const NO_PARTITION = ''

/** Sessions that were dropped before their creation had come: it is refused when it does. */
export class UnseenSessions {
  readonly #ends = new TrackedMap<string, SessionEnd>()
  readonly #budget: Budget

  constructor(budget: Budget) {
    this.#budget = budget
  }

  get(id: string): SessionEnd | undefined {
    return this.#ends.get(id)
  }

  /** How the first drop said that it ended stays. @throws Refusal where too many are remembered */
  add(id: string, how: SessionEnd): void {
    if (this.#ends.has(id)) return
    if (!this.#budget.hasRoom(this.#ends.size)) {
      const headers = { 'Retry-After': '5' }
      throw new Refusal('too-many', 'too many sessions were dropped that were never seen', { headers })
    }
    this.#ends.set(id, how)
    this.#budget.used++
  }

  /** The group has ended: whatever comes is refused. */
  forget(): void {
    this.#budget.used -= this.#ends.size
    this.#ends.forget()
  }

  takeChanges(): SessionRecord[] {
    return this.#ends.takeChanges().flatMap(([id, state]) => {
      const nothing = { partition: NO_PARTITION, client: '', start: 0, end: 0, offset: 0, attempt: 0, checksum: null }
      return state ? [{ ...nothing, id, state }] : []
    })
  }

  /** As the record has it already. Returns false for the record of a session that was seen. */
  restore({ id, partition, state }: SessionRecord): boolean {
    if (partition !== NO_PARTITION || state === 'inProgress' || state === 'completed') return false
    this.#ends.restore(id, state)
    this.#budget.used++
    return true
  }
}
