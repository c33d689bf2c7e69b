export interface BrokenPatch {
  readonly sizeBytes: number
  /** Of these, handed to the network before it broke off. */
  readonly handedBytes: number
  /** Of these, on the server afterwards. */
  readonly keptBytes: number
  /** The connection broke without an answer, rather than that we gave it up. */
  readonly isCut: boolean
}

/** Guess: each broken PATCH counts so much for the share that is lost; a server that keeps nothing is seen at the second. */
const LOST_WEIGHT = 0.6
/** Guess: before any PATCH broke off. Servers keep what arrived (tus 1.0: SHOULD). */
const USUAL_LOST_SHARE = 0.001
/** DESIGN 5.3: so much is in buffers on the way, and is lost however small PATCHes are. */
const AHEAD_BYTES = 5_000_000
/** Guess: less than this says nothing of what is kept: it may be in buffers on the way. */
const TELLING_BYTES = 1024 * 1024
/** Handed over so nearly the same twice, and nothing kept: a limit on bodies that nobody may tell us of (guess). */
const SAME_WITHIN_BYTES = 512 * 1024

/** Both broke off at the same byte, or each after its last: what a proxy does that lets no body of that size through. */
function isAlike(one: BrokenPatch, other: BrokenPatch): boolean {
  const isWhole = ({ handedBytes, sizeBytes }: BrokenPatch) => handedBytes >= sizeBytes - SAME_WITHIN_BYTES
  return (isWhole(one) && isWhole(other)) || Math.abs(one.handedBytes - other.handedBytes) <= SAME_WITHIN_BYTES
}

/** What the PATCHes to one server taught of the next one's size. */
export class PatchHistory {
  #lostShare = USUAL_LOST_SHARE
  #mostBytes = Number.POSITIVE_INFINITY
  #lastFruitless: BrokenPatch | undefined

  get lostShare(): number {
    return this.#lostShare
  }

  /** Half of what was lost as a whole; doubled by each PATCH that arrives. */
  get mostBytes(): number {
    return this.#mostBytes
  }

  arrived(sizeBytes: number): void {
    this.#lastFruitless = undefined
    this.#mostBytes = Math.max(this.#mostBytes, 2 * sizeBytes)
  }

  /** True when it shows a limit on bodies that was not told. */
  broken(patch: BrokenPatch): boolean {
    const { sizeBytes, handedBytes, keptBytes } = patch
    if (handedBytes >= TELLING_BYTES) {
      const lost = keptBytes === 0 ? 1 : Math.max(0, handedBytes - keptBytes - AHEAD_BYTES) / handedBytes
      this.#lostShare += LOST_WEIGHT * (lost - this.#lostShare)
    }
    if (keptBytes > 0) {
      this.#lastFruitless = undefined
      return false
    }
    const before = this.#lastFruitless
    this.#lastFruitless = patch
    if (handedBytes >= TELLING_BYTES) this.#mostBytes = Math.max(TELLING_BYTES / 4, Math.floor(sizeBytes / 2))
    if (!before || !patch.isCut || !before.isCut || !isAlike(before, patch)) return false
    this.#lastFruitless = undefined
    return true
  }
}
