import { createHash } from 'node:crypto'
import type { Logger } from 'pino'
import type { Group } from '../groups/group.js'
import type { ContentIndex } from '../records/content-index.js'
import type { CommitRecord } from '../records/partition-index.js'
import type { RangeStore } from '../store/range-store.js'

/**
 * Which whole files lie here, by scope, size and root. In the index of contents each has two more digests: one that
 * finds it, and one with its stamp, that tells whether it is still the file that was committed.
 */
export class WholeFiles {
  readonly #contents: ContentIndex
  readonly #store: RangeStore
  readonly #log: Logger

  constructor(contents: ContentIndex, store: RangeStore, log: Logger) {
    this.#contents = contents
    this.#store = store
    this.#log = log
  }

  /**
   * Makes the group's file another name of an equal one of its scope, and then removes the group's own bytes. Returns
   * false, with nothing done, where there is none or the disk cannot. After a rejection the file may be there.
   */
  async share(group: Group, isRepeat: boolean): Promise<boolean> {
    const { scope, commit, fileId } = group
    if (scope === null || !commit || commit.size === 0) return false
    for (const { twin, stamp } of await this.#twinsOf(scope, commit)) {
      if (twin === fileId || !(await this.#store.linkFile(fileId, { twin, stamp, isRepeat }))) continue
      await this.#store.backend.open(group.id).remove()
      return true
    }
    return false
  }

  /** A hint that is lost costs a second copy, never a file: nobody waits for it. */
  async remember(group: Group): Promise<void> {
    const { scope, commit, fileId } = group
    if (scope === null || !commit || commit.size === 0) return
    const stamp = await this.#store.stampOf(fileId)
    if (stamp === undefined) return
    const entries = [keyOf(commit), keyOf(commit, stamp)].map((leaf) => ({ scope, leaf, fileId, block: 0 }))
    this.#contents.put(entries).catch((err: unknown) => this.#log.warn({ group: group.id, err }, 'file not noted'))
  }

  /** Newest first; those that have changed are left out. */
  async #twinsOf(scope: string, commit: CommitRecord): Promise<{ twin: string; stamp: string }[]> {
    const twins: { twin: string; stamp: string }[] = []
    for (const twin of await this.#filesAt(scope, keyOf(commit))) {
      const stamp = await this.#store.stampOf(twin)
      if (stamp === undefined) continue
      if ((await this.#filesAt(scope, keyOf(commit, stamp))).includes(twin)) twins.push({ twin, stamp })
    }
    return twins
  }

  async #filesAt(scope: string, key: string): Promise<string[]> {
    const found = await this.#contents.find(scope, [key])
    return (found.get(key) ?? []).map(({ fileId }) => fileId)
  }
}

function keyOf({ size, root }: CommitRecord, stamp: string = ''): string {
  return createHash('sha256').update(`whole file\n${size}\n${root}\n${stamp}`).digest('base64url')
}
