import type { Logger } from 'pino'
import type { Group } from '../groups/group.js'
import type { Notice } from '../groups/notice.js'
import type { ContentIndex } from '../records/content-index.js'

/** Keeps the index of contents true to what happens in groups: what a scope has verified is found in it. */
export class ContentCatalog {
  readonly #contents: ContentIndex
  readonly #ownStoreId: string
  readonly #log: Logger

  constructor(contents: ContentIndex, ownStoreId: string, log: Logger) {
    this.#contents = contents
    this.#ownStoreId = ownStoreId
    this.#log = log
  }

  hear(notice: Notice): void {
    if (notice.kind === 'verified' && notice.where !== 'elsewhere') this.#put(notice.group, notice.blocks)
    if (notice.kind !== 'groupEnded' || notice.group.scope === null) return
    // a committed file stays at its home
    const { group, state } = notice
    if (state !== 'committed' || group.home !== this.#ownStoreId) this.remove(group.fileId)
  }

  /** What a crash kept from being put. */
  repair(groups: Iterable<Group>): void {
    for (const group of groups) {
      if (!group.hasEnded && group.home === this.#ownStoreId)
        this.#put(group, [...group.blocks.verifiedLeaves().keys()])
    }
  }

  remove(fileId: string): void {
    this.#contents.removeFile(fileId).catch((err: unknown) => this.#log.warn({ err }, 'contents not forgotten'))
  }

  /** Hints that are lost cost a copy, never a file: nobody waits for them. */
  #put(group: Group, blocks: readonly number[]): void {
    const { scope, fileId } = group
    if (scope === null) return
    const leaves = group.blocks.verifiedLeaves()
    const entries = blocks.flatMap((block) => {
      const leaf = leaves.get(block)
      return leaf === undefined ? [] : [{ scope, leaf, fileId, block }]
    })
    if (entries.length === 0) return
    this.#contents.put(entries).catch((err: unknown) => this.#log.warn({ group: group.id, err }, 'contents not noted'))
  }
}
