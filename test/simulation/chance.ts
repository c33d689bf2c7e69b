import { formatId } from 'tus-reconcile-protocol'
import type { Randomness } from '../../packages/uppy-adaptive/src/orchestration/ports.js'
import { seededRandom } from '../support/links/seeded-random.js'

/** All chance of one part of one run, from its seed. */
export class Chance implements Randomness {
  readonly #next: () => number

  constructor(seed: string) {
    this.#next = seededRandom(seed)
  }

  uniform(): number {
    return this.#next()
  }

  id(): string {
    return formatId(Uint8Array.from({ length: 16 }, () => Math.floor(this.#next() * 256)))
  }

  /** Uniform in [min, max). */
  between(min: number, max: number): number {
    return min + this.#next() * (max - min)
  }

  /** Whole, from min to max, both included. */
  whole(min: number, max: number): number {
    return Math.floor(this.between(min, max + 1))
  }

  /** Spread over its orders of magnitude. */
  scale(min: number, max: number): number {
    return min * (max / min) ** this.#next()
  }

  isTrue(share: number): boolean {
    return this.#next() < share
  }

  pick<T>(from: readonly T[]): T {
    const chosen = from[Math.floor(this.#next() * from.length)]
    if (chosen === undefined) throw new Error('nothing to pick from')
    return chosen
  }

  /** As often as its weight says. */
  weighted<T extends string>(weights: Readonly<Record<T, number>>): T {
    const entries = Object.entries<number>(weights) as [T, number][]
    let left = this.#next() * entries.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [name, weight] of entries) {
      left -= weight
      if (left < 0) return name
    }
    return this.pick(entries)[0]
  }
}
