import { type Limits, release, type UploadHolds } from './limits.js'
import type { Hold, LimitKeys } from './quota.js'

/**
 * What plain uploads count for: each is one upload and one session of whoever creates it, until it is a file or gone.
 * They are not recorded: one that was begun before a restart counts again for whoever goes on with it.
 */
export class PlainHolds {
  readonly #limits: Limits
  readonly #held = new Map<string, UploadHolds>()

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** The uploads that count now. */
  get ids(): readonly string[] {
    return [...this.#held.keys()]
  }

  /** An upload is about to be created. @throws Refusal `too-many` */
  begin(id: string, keys: LimitKeys): void {
    // a store that is no RangeStore may put it in the place of another
    this.end(id)
    if (this.#limits.binds(keys)) this.#held.set(id, this.#limits.admitUpload(keys))
  }

  /** A body of an upload that stands at `offset` is about to be taken. Returns what its bytes are held by. */
  resume(id: string, keys: LimitKeys, offset: number): Hold | undefined {
    if (!this.#limits.binds(keys)) return undefined
    const held = this.#held.get(id) ?? this.#limits.countUpload(keys, offset)
    this.#held.set(id, held)
    // what came last may not have been written
    held.bytes.settle(offset)
    return held.bytes
  }

  /** All its bytes are there, and yet it is no file: it is a part of one. */
  complete(id: string): void {
    this.#held.get(id)?.live.release()
  }

  /** It is a file, or gone. */
  end(id: string): void {
    const held = this.#held.get(id)
    this.#held.delete(id)
    if (held) release(held)
  }
}
