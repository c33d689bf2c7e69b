import type { StoreId } from '../../partitioning/partition-plan.js'
import type { EventLog } from '../log/event-log.js'
import type { ServerDirectory, Store } from '../servers/server-directory.js'

/** Where the file is made: at the group's home, until that stays away and another store takes its place (ADR 4). */
export class CommitPlace {
  /** As every request of the group names it, whatever has become of it. */
  readonly home: StoreId
  /** The group was opened so that another store may commit it: each of its creations says so (P210). */
  readonly isMovable: boolean
  #store: StoreId

  constructor(home: StoreId, isMovable: boolean) {
    this.home = home
    this.isMovable = isMovable
    this.#store = home
  }

  /** The store that makes the file. */
  get store(): StoreId {
    return this.#store
  }

  /** The store has answered as the home: a majority has chosen it. */
  moveTo(store: Store, log: EventLog, waitedMs: number): void {
    const from = this.#store
    this.#store = store.id
    const { endpoint } = store.route
    log.emit({
      type: 'homeMoved',
      store: store.id,
      server: store.server,
      from,
      endpoint,
      waitedMs: Math.round(waitedMs),
    })
  }

  get hasMoved(): boolean {
    return this.#store !== this.home
  }

  /** Stores that may take the home's place, as the options name them: once. Who was chosen is waited for by everybody. */
  candidates(directory: ServerDirectory): Store[] {
    if (!this.isMovable || this.hasMoved) return []
    return directory
      .stores()
      .filter((store) => store.id !== this.#store && store.state !== 'unusable' && store.commitsElsewhere)
  }
}
