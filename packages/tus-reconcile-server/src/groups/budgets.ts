/** What groups may keep of something, each of them and all of a store together. */
export class Budget {
  readonly perGroup: number
  readonly inAll: number
  used = 0

  constructor(perGroup: number, inAll: number) {
    this.perGroup = perGroup
    this.inAll = inAll
  }

  /** Whether a group that keeps `own` may keep one more. */
  hasRoom(own: number): boolean {
    return own < this.perGroup && this.used < this.inAll
  }
}

/** A budget that one client's groups share a part of. Who is not known is bounded by the other parts. */
export class ClientBudget extends Budget {
  readonly perClient: number
  readonly #byClient = new Map<string, number>()

  constructor(perGroup: number, perClient: number, inAll: number) {
    super(perGroup, inAll)
    this.perClient = perClient
  }

  usedBy(client: string | undefined): number {
    return client === undefined ? 0 : (this.#byClient.get(client) ?? 0)
  }

  add(client: string | undefined, amount: number): void {
    this.used += amount
    if (client === undefined) return
    const sum = this.usedBy(client) + amount
    if (sum > 0) this.#byClient.set(client, sum)
    else this.#byClient.delete(client)
  }
}

/** All that the groups of a store share. Guesses: each far above what an upload needs. */
export class GroupBudgets {
  /** Blocks kept aside, 64 MiB and 1 GiB: they bound the disk. */
  readonly sides: Budget
  /** Digests claimed ahead of their bytes, 16, 32 and 128 GiB of files (measured: 150 bytes of memory each, 78 MB). */
  readonly claims: ClientBudget
  /** Sessions that were dropped before they were seen: they bound memory and records. */
  readonly unseen: Budget

  constructor(budgets: Partial<GroupBudgets> = {}) {
    this.sides = budgets.sides ?? new Budget(256, 4096)
    this.claims = budgets.claims ?? new ClientBudget(65_536, 131_072, 524_288)
    this.unseen = budgets.unseen ?? new Budget(1024, 65_536)
  }
}
