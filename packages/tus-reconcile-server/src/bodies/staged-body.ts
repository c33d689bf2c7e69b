import type { Hash } from 'node:crypto'
import { Refusal } from '../groups/refusal.js'
import type { Checksum } from './checksum.js'
import { SideFile } from './side-file.js'

/** Bytes that count for whoever sends them, until they are released. */
export interface HeldBytes {
  /** @throws Refusal `too-many` where so many more are beyond a limit */
  grow(bytes: number): void
  shrink(bytes: number): void
  release(): void
}

/** What binds bytes that lie to one side, as it binds those that count. */
export interface StagingBounds {
  /** Where they lie. */
  readonly directory: string
  /** Whether the disk has too little room. */
  readonly isShort: () => boolean | Promise<boolean>
  /** @param bytes all of the body that has come. @throws Refusal where a body has fewer */
  readonly refuseLong: (bytes: number) => void
  /** They are bytes of an unfinished upload, whoever sends them. */
  readonly hold: HeldBytes
}

/** The bytes of one body that do not count before all of them were checked. Nothing of it outlasts `close`, or a crash. */
export class StagedBody {
  readonly #checksum: Checksum
  readonly #bounds: StagingBounds
  readonly #side: SideFile
  readonly #hash: Hash
  #bytes = 0

  constructor(checksum: Checksum, bounds: StagingBounds) {
    this.#checksum = checksum
    this.#bounds = bounds
    this.#side = new SideFile(bounds.directory)
    this.#hash = checksum.start()
  }

  /** @throws Refusal `too-large`, `too-many`, `no-space` */
  async take(bytes: Uint8Array): Promise<void> {
    const { refuseLong, hold, isShort } = this.#bounds
    this.#bytes += bytes.length
    refuseLong(this.#bytes)
    hold.grow(bytes.length)
    if (await isShort()) throw new Refusal('no-space', 'the disk is full: nothing of this body was kept')
    this.#hash.update(bytes)
    await this.#side.append(bytes)
  }

  /** All has come. @throws Refusal unless it is what the client means */
  check(): void {
    this.#checksum.check(this.#hash)
  }

  /** All that was taken, from the beginning. What is handed on is held by whoever takes it. */
  async *pieces(): AsyncGenerator<Uint8Array, void> {
    for await (const bytes of this.#side.pieces()) {
      this.#bounds.hold.shrink(bytes.length)
      yield bytes
    }
  }

  async close(): Promise<void> {
    this.#bounds.hold.release()
    await this.#side.close()
  }
}
