import { createHash, type Hash } from 'node:crypto'
import { blockCount, blockRange } from 'tus-reconcile-protocol'
import type { BackgroundPace } from './background-pace.js'
import type { Group } from './group.js'
import type { Notice } from './notice.js'

/** How many blocks a commit waits for: 4 MiB, some 5 ms of hashing. */
const GRACE_BLOCKS = 16

interface Progress {
  readonly sha: Hash
  /** The first block that is not hashed yet. */
  next: number
  bytes: number
  /** One step at a time. */
  last: Promise<boolean>
}

/**
 * SHA-256 of whole files, computed in the background as their verified beginning grows, while the bytes are still in
 * memory. Nothing waits for it: `LateDigests` has what came faster, out of order at its end, or over a restart.
 */
export class FlatDigests {
  readonly #progress = new WeakMap<Group, Progress>()
  readonly #growing = new Set<Group>()
  readonly #pace: BackgroundPace
  #isRunning = false

  constructor(pace: BackgroundPace) {
    this.#pace = pace
  }

  hear(notice: Notice): void {
    const { group } = notice
    if (notice.kind === 'groupOpened') {
      this.#progress.set(group, { sha: createHash('sha256'), next: 0, bytes: 0, last: Promise.resolve(true) })
    } else if (notice.kind === 'groupEnded') {
      this.#growing.delete(group)
      this.#progress.delete(group)
    } else if (notice.kind === 'verified' && notice.where !== 'elsewhere' && this.#progress.has(group)) {
      this.#growing.add(group)
      if (!this.#isRunning) void this.#run()
    }
  }

  /** The digest of the verified file, base64, if so little of it is left to be hashed that a commit can wait for it. */
  async take(group: Group): Promise<string | null> {
    this.#growing.delete(group)
    const progress = this.#progress.get(group)
    if (!progress) return null
    await progress.last
    const count = blockCount(group.knownSize)
    if (count - progress.next > GRACE_BLOCKS) return null
    while (progress.next < count) if (!(await this.#step(group, progress))) return null
    // blocks that were hashed before the size was known may have been longer
    return progress.bytes === group.knownSize ? progress.sha.copy().digest('base64') : null
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    for (let [group] = this.#growing; group; [group] = this.#growing) {
      const [next, progress] = [group, this.#progress.get(group)]
      // groups take turns; one that stands waits until more of it is verified
      this.#growing.delete(group)
      const hasGrown = progress && (await this.#pace.step(() => this.#step(next, progress)))
      if (hasGrown && !group.hasEnded) this.#growing.add(group)
    }
    this.#isRunning = false
  }

  #step(group: Group, progress: Progress): Promise<boolean> {
    progress.last = progress.last.then(() => hashNext(group, progress)).catch(() => false)
    return progress.last
  }
}

/** Returns whether the next block was verified, and is hashed. A verified block is never written again. */
async function hashNext(group: Group, progress: Progress): Promise<boolean> {
  if (group.hasEnded || !group.blocks.isVerified(progress.next)) return false
  const { start, end } = blockRange(progress.next, group.knownSize)
  const bytes = await group.file.read(start, end - start)
  if (bytes.length < end - start) return false
  progress.sha.update(bytes)
  progress.bytes += bytes.length
  progress.next++
  return true
}
