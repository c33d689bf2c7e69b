import { endGroup } from './ending.js'
import { Group, type GroupFacts, type GroupPorts } from './group.js'
import type { Notice } from './notice.js'
import { Refusal } from './refusal.js'

/** Unfinished groups at once (guess; bounds memory and the record). */
const MAX_GROUPS = 10_000

/** All groups of this store, open and ended, by their own id and by their file's. */
export class Groups {
  readonly #groups = new Map<string, Group>()
  readonly #byFileId = new Map<string, Group>()
  readonly #opening = new Map<string, Promise<Group>>()
  readonly #listeners = new Set<(notice: Notice) => void>()
  readonly #ports: GroupPorts

  constructor(ports: Omit<GroupPorts, 'notify'>) {
    this.#ports = { ...ports, notify: (notice) => this.#publish(notice) }
  }

  async load(): Promise<void> {
    for (const record of await this.#ports.index.load()) {
      const group = Group.restore(record, this.#ports)
      this.#groups.set(group.id, group)
      this.#byFileId.set(group.fileId, group)
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
    this.#byFileId.delete(group.fileId)
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
    const opening = this.#opening.get(id) ?? this.#create(id, facts)
    this.#opening.set(id, opening)
    try {
      return await opening
    } finally {
      this.#opening.delete(id)
    }
  }

  /** Ends what got no byte for `expireMs`, forgets tombstones twice as old. Returns how many ended. */
  async expire(expireMs: number): Promise<number> {
    const now = this.#ports.now()
    let ended = 0
    for (const group of [...this.#groups.values()]) {
      const busy = [...group.sessions.values()].some((session) => session.running)
      const idleMs = now - group.touchedAt
      if (!group.hasEnded && !busy && idleMs > expireMs) ended += (await endGroup(group, 'expired')) ? 1 : 0
      else if (group.hasEnded && group.toTell.size === 0 && idleMs > 2 * expireMs) {
        this.#groups.delete(group.id)
        this.#byFileId.delete(group.fileId)
        await this.#ports.index.remove(group.id)
      }
    }
    return ended
  }

  /** Stops every running write, so that its client goes on elsewhere or later. Settles when all is on disk. */
  async close(): Promise<void> {
    for (const group of this.#groups.values()) {
      const running = [...group.sessions.values()].flatMap((session) => session.running ?? [])
      for (const write of running) write.stop('closing')
      await Promise.all(running.map((write) => write.finished))
      await group.queue.run(() => group.file.idle())
    }
  }

  async #create(id: string, facts: () => Promise<GroupFacts>): Promise<Group> {
    if ([...this.#groups.values()].filter((group) => !group.hasEnded).length >= MAX_GROUPS) {
      throw new Refusal('too-many', 'this server has too many unfinished uploads', { headers: { 'Retry-After': '10' } })
    }
    const group = new Group(await facts(), this.#ports)
    this.#groups.set(id, group)
    this.#byFileId.set(group.fileId, group)
    this.#publish({ kind: 'groupOpened', group })
    return group
  }

  #publish(notice: Notice): void {
    for (const listener of this.#listeners) listener(notice)
  }
}
