import { type LimitKeys, namesOf, type ScopeLimits, tooMany } from './quota.js'

/** Who is remembered at once; the least recent goes first, and begins anew with a full bucket (guess; bounds memory). */
const MOST_BUCKETS = 16_384
/** What may come at once: this many seconds' worth (guess: a page that wakes up with many uploads). */
const BURST_S = 2

interface Bucket {
  tokens: number
  atMs: number
}

/** How often somebody may do something: a token bucket for each. */
export class TokenBuckets {
  readonly #what: string
  readonly #perSecond: ScopeLimits
  readonly #mostBuckets: number
  readonly #buckets = new Map<string, Bucket>()

  constructor(rule: { readonly what: string; readonly perSecond: ScopeLimits }, mostBuckets: number = MOST_BUCKETS) {
    this.#what = rule.what
    this.#perSecond = rule.perSecond
    this.#mostBuckets = mostBuckets
  }

  /** How many buckets there are. */
  get size(): number {
    return this.#buckets.size
  }

  /** @throws Refusal `too-many` with the time until there is one more */
  take(keys: LimitKeys, nowMs: number): void {
    const limited = namesOf(keys).filter(({ scope }) => Number.isFinite(this.#perSecond[scope]))
    const buckets = limited.map(({ scope, name }) => ({
      bucket: this.#bucket(name, this.#perSecond[scope], nowMs),
      perSecond: this.#perSecond[scope],
    }))
    const waits = buckets.map(({ bucket, perSecond }) => (1 - bucket.tokens) / perSecond)
    const waitS = Math.max(0, ...waits)
    if (waitS > 0) throw tooMany(this.#what, Math.ceil(waitS))
    for (const { bucket } of buckets) bucket.tokens--
  }

  #bucket(name: string, perSecond: number, nowMs: number): Bucket {
    const full = Math.max(1, perSecond * BURST_S)
    const bucket = this.#buckets.get(name) ?? { tokens: full, atMs: nowMs }
    bucket.tokens = Math.min(full, bucket.tokens + (Math.max(0, nowMs - bucket.atMs) / 1000) * perSecond)
    bucket.atMs = nowMs
    // the one used last is last, so the first is the one to forget
    this.#buckets.delete(name)
    this.#buckets.set(name, bucket)
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= this.#mostBuckets) break
      this.#buckets.delete(oldest)
    }
    return bucket
  }
}
