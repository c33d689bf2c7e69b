import { Refusal } from '../groups/refusal.js'

/** Whom a limit is for. `address`: of the connection, or as a trusted proxy names it. */
export type Scope = 'client' | 'group' | 'address'
/** Who asks. A scope that is not known here is not limited. */
export type LimitKeys = { readonly [S in Scope]?: string | undefined }
export type ScopeLimits = { readonly [S in Scope]: number }

/** Something that counts against a limit until it is released. */
export interface Hold {
  /** @throws Refusal `too-many` where `amount` more is beyond the limit: nothing is added then */
  grow(amount: number): void
  /** So much of it is held no more. */
  shrink(amount: number): void
  /** So much is there, whatever was held for it. */
  settle(amount: number): void
  /** Once or more often. */
  release(): void
}

interface QuotaRule {
  /** What there is too much of, for people. */
  readonly what: string
  readonly most: ScopeLimits
  readonly retryAfterS: number
}

/** Amounts that are held at once, by whom. Who holds nothing, or is not limited, takes no memory. */
export class Quota {
  readonly #rule: QuotaRule
  readonly #held = new Map<string, number>()

  constructor(rule: QuotaRule) {
    this.#rule = rule
  }

  /** How many keys hold something. */
  get size(): number {
    return this.#held.size
  }

  /** Whether anything at all is limited for whoever asks. */
  binds(keys: LimitKeys): boolean {
    return this.#limited(keys).length > 0
  }

  /** @throws Refusal `too-many`, also for nothing (0) where nothing more could be added */
  hold(keys: LimitKeys, amount: number = 1): Hold {
    this.#refuse(keys, Math.max(amount, 1))
    return this.holdAnyway(keys, amount)
  }

  /** What is there already counts, whatever the limit: it was admitted before a restart. */
  holdAnyway(keys: LimitKeys, amount: number): Hold {
    const limited = this.#limited(keys)
    let held = 0
    const add = (more: number) => {
      held += more
      for (const { name } of limited) this.#add(name, more)
    }
    add(amount)
    return {
      grow: (more) => {
        this.#refuse(keys, more)
        add(more)
      },
      shrink: (less) => add(-Math.min(less, held)),
      settle: (amount) => add(amount - held),
      release: () => add(-held),
    }
  }

  #limited(keys: LimitKeys): ReturnType<typeof namesOf> {
    return namesOf(keys).filter(({ scope }) => Number.isFinite(this.#rule.most[scope]))
  }

  #refuse(keys: LimitKeys, amount: number): void {
    const { what, most, retryAfterS } = this.#rule
    const isFull = namesOf(keys).some(({ scope, name }) => (this.#held.get(name) ?? 0) + amount > most[scope])
    // the same words for every scope: nobody learns what others of an address do
    if (isFull) throw tooMany(what, retryAfterS)
  }

  #add(name: string, amount: number): void {
    const sum = (this.#held.get(name) ?? 0) + amount
    if (sum > 0) this.#held.set(name, sum)
    else this.#held.delete(name)
  }
}

export function tooMany(what: string, retryAfterS: number): Refusal {
  return new Refusal('too-many', `${what}: try again later`, { headers: { 'Retry-After': String(retryAfterS) } })
}

/** One name for each scope that is known. */
export function namesOf(keys: LimitKeys): { readonly scope: Scope; readonly name: string }[] {
  const scopes: readonly Scope[] = ['client', 'group', 'address']
  return scopes.flatMap((scope) => (keys[scope] === undefined ? [] : [{ scope, name: `${scope}:${keys[scope]}` }]))
}
