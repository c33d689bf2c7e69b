import { createHash } from 'node:crypto'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import type { BackgroundPace } from './background-pace.js'
import type { Group } from './group.js'
import type { Notice } from './notice.js'

/**
 * SHA-256 of files whose commit could not wait for it, computed from the finished files: of one that came faster than
 * it was hashed, whose beginning came last, or that was begun before a restart. One file at a time.
 */
export class LateDigests {
  readonly #pace: BackgroundPace
  readonly #waiting = new Set<Group>()
  #isRunning = false
  #home: string | undefined
  /** Called when the digest of a file is recorded. */
  onDigest: (group: Group) => void = () => {}

  constructor(pace: BackgroundPace) {
    this.#pace = pace
  }

  /** @param home this store. From now on its files are hashed, and of `groups` those that have waited since a restart */
  start(home: string, groups: Iterable<Group>): void {
    this.#home = home
    for (const group of groups) this.#add(group)
  }

  hear(notice: Notice): void {
    if (notice.kind === 'groupEnded') this.#add(notice.group)
  }

  #add(group: Group): void {
    if (group.home !== this.#home || !isWanted(group)) return
    this.#waiting.add(group)
    if (!this.#isRunning) void this.#run()
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    for (const group of this.#waiting) {
      // what cannot be read or recorded is tried again after the next start
      await this.#take(group).catch(() => {})
      this.#waiting.delete(group)
    }
    this.#isRunning = false
  }

  async #take(group: Group): Promise<void> {
    const sha256 = await this.#digest(group)
    if (sha256 === undefined) return
    await record(group, sha256)
    this.onDigest(group)
  }

  async #digest(group: Group): Promise<string | undefined> {
    const { readStored } = group.ports
    const sha = createHash('sha256')
    const size = group.commit?.size ?? 0
    for (let at = 0; at < size; ) {
      const bytes = await this.#pace.step(async () => {
        if (!isWanted(group)) return undefined
        const piece = await readStored?.(group.fileId, at, Math.min(BLOCK_SIZE, size - at))
        if (piece) sha.update(piece)
        return piece
      })
      // closed, deleted, or shorter than it was
      if (!bytes?.length) return undefined
      at += bytes.length
    }
    return sha.digest('base64')
  }
}

function isWanted({ state, commit }: Group): boolean {
  return state === 'committed' && commit !== null && !commit.sha256 && !commit.removed
}

function record(group: Group, sha256: string): Promise<void> {
  return group.queue.run(async () => {
    if (!group.commit || !isWanted(group)) return
    group.commit = { ...group.commit, sha256 }
    await group.save()
  })
}
