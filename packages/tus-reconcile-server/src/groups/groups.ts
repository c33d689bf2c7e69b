import { IndexError } from '../records/index-error.js'
import type { DamagedEntry } from '../records/partition-index.js'
import { GroupBudgets } from './budgets.js'
import { endGroup, settleEnd } from './ending.js'
import { Group } from './group.js'
import type { GroupFacts, GroupPorts } from './group-facts.js'
import type { Notice } from './notice.js'
import { Refusal } from './refusal.js'
import type { RunningWrite } from './session.js'

/** Groups at once, tombstones included (guess; bounds memory and the record). */
const MAX_GROUPS = 10_000

export interface GroupLimits {
  readonly maxGroups?: number
  readonly budgets?: GroupBudgets
}

/** All groups of this store, open and ended, by their own id and by their file's. */
export class Groups {
  readonly #groups = new Map<string, Group>()
  readonly #byFileId = new Map<string, Group>()
  readonly #opening = new Map<string, Promise<Group>>()
  readonly #listeners = new Set<(notice: Notice) => void>()
  readonly #ports: GroupPorts

  readonly #maxGroups: number

  constructor(ports: Omit<GroupPorts, 'notify' | 'budgets'>, limits: GroupLimits = {}) {
    this.#maxGroups = limits.maxGroups ?? MAX_GROUPS
    const budgets = limits.budgets ?? new GroupBudgets()
    this.#ports = { ...ports, budgets, notify: (notice) => this.#publish(notice) }
  }

  async load(): Promise<void> {
    const { groups, damaged } = await this.#ports.index.load()
    if (damaged.length > 0) {
      // so that it can be checked while this process goes on
      await this.#ports.index.close()
      throw damagedError(damaged)
    }
    for (const record of groups) {
      const group = Group.restore(record, this.#ports)
      this.#groups.set(group.id, group)
      const namesake = this.#byFileId.get(group.fileId)
      if (!namesake || isNewer(group, namesake)) this.#byFileId.set(group.fileId, group)
    }
  }

  subscribe(listener: (notice: Notice) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  get(id: string): Group | undefined {
    return this.#groups.get(id)
  }

  byFileId(fileId: string): Group | undefined {
    const group = this.#byFileId.get(fileId)
    return group?.fileId === fileId ? group : undefined
  }

  /** The home has named the file after sessions were taken provisionally. */
  nameFile(group: Group, fileId: string): void {
    if (this.#byFileId.get(group.fileId) === group) this.#byFileId.delete(group.fileId)
    group.fileId = fileId
    this.#byFileId.set(fileId, group)
  }

  all(): Iterable<Group> {
    return this.#groups.values()
  }

  /** The group, opened once however many first sessions come at the same time. `facts` may refuse. */
  async open(id: string, facts: () => Promise<GroupFacts>): Promise<Group> {
    const known = this.#groups.get(id)
    if (known) return known
    const running = this.#opening.get(id)
    if (running) return running
    const opening = this.#create(id, facts)
    this.#opening.set(id, opening)
    try {
      return await opening
    } finally {
      this.#opening.delete(id)
    }
  }

  /**
   * Ends what got no byte for `expireMs`, forgets tombstones twice as old. Returns how many ended. @throws what the first
   * of them could not be ended for, after all the others
   */
  async expire(expireMs: number): Promise<number> {
    let ended = 0
    const failures: unknown[] = []
    for (const group of [...this.#groups.values()]) {
      await this.#expireOne(group, expireMs).then(
        (hasEnded) => {
          ended += Number(hasEnded)
        },
        (cause: unknown) => failures.push(cause),
      )
    }
    if (failures.length > 0) throw failures[0]
    return ended
  }

  async #expireOne(group: Group, expireMs: number): Promise<boolean> {
    const idleMs = this.#ports.now() - group.touchedAt
    if (group.ending) await settleEnd(group)
    else if (!group.hasEnded && !group.isReceiving && idleMs > expireMs) return endGroup(group, 'expired')
    else if (group.hasEnded && idleMs > 2 * expireMs) await this.#forget(group)
    return false
  }

  /** Every running write ends with the block that it is in. Settles when all have. */
  async drain(): Promise<void> {
    const running = this.#running()
    for (const write of running) write.endWithBlock()
    await Promise.all(running.map((write) => write.finished))
  }

  /** Stops every running write, so that its client goes on elsewhere or later. Settles when all is on disk. */
  async close(): Promise<void> {
    const running = this.#running()
    for (const write of running) write.stop('closing')
    await Promise.all(running.map((write) => write.finished))
    for (const group of this.#groups.values())
      await group.queue.run(() => Promise.all([group.file.idle(), group.sides.remove()]))
  }

  #running(): RunningWrite[] {
    return [...this.#groups.values()].flatMap((group) =>
      [...group.sessions.values()].flatMap((session) => session.running ?? []),
    )
  }

  async #create(id: string, facts: () => Promise<GroupFacts>): Promise<Group> {
    this.#refuseWithoutRoom()
    const known = await facts()
    // another may have taken the place while a tombstone was removed: it is looked for and taken at one go
    while (this.#groups.size >= this.#maxGroups) await this.#forgetOldest()
    const namesake = this.#byFileId.get(known.fileId)
    if (namesake && !namesake.hasEnded) throw new Refusal('contradiction', 'another upload has the name of this file')
    const group = new Group(known, this.#ports)
    this.#groups.set(id, group)
    this.#byFileId.set(group.fileId, group)
    this.#publish({ kind: 'groupOpened', group })
    return group
  }

  /** One more has a place beside those that are being opened, or a tombstone would give it its own. @throws Refusal */
  #refuseWithoutRoom(): void {
    const most = this.#maxGroups - this.#opening.size
    if (this.#groups.size < most) return
    const unfinished = [...this.#groups.values()].filter((group) => !group.hasEnded).length
    if (unfinished >= most) throw tooManyGroups()
  }

  /** A tombstone makes room for a group that is agreed to. @throws Refusal where there is none */
  async #forgetOldest(): Promise<void> {
    let oldest: Group | undefined
    for (const group of this.#groups.values()) {
      if (group.hasEnded && (!oldest || group.touchedAt < oldest.touchedAt)) oldest = group
    }
    if (!oldest) throw tooManyGroups()
    await this.#forget(oldest)
  }

  async #forget(group: Group): Promise<void> {
    group.forgotten = true
    // whoever still tells its end stops
    group.toTell.clear()
    this.#groups.delete(group.id)
    if (this.#byFileId.get(group.fileId) === group) this.#byFileId.delete(group.fileId)
    await this.#ports.index.remove(group.id)
  }

  #publish(notice: Notice): void {
    for (const listener of this.#listeners) listener(notice)
  }
}

/** Of two groups whose file has one name: the second was opened when the first had ended. */
function isNewer(group: Group, other: Group): boolean {
  if (group.createdAt !== other.createdAt) return group.createdAt > other.createdAt
  return other.hasEnded
}

function tooManyGroups(): Refusal {
  return new Refusal('too-many', 'this server has too many unfinished uploads', { headers: { 'Retry-After': '10' } })
}

function damagedError(damaged: readonly DamagedEntry[]): IndexError {
  const [first] = damaged
  const example = `group ${first?.group}: ${first?.reason}`
  return new IndexError(
    'damaged-records',
    `${damaged.length} records cannot be read (${example}): run tus-reconcile-server --check on the directory`,
  )
}
