/** A proposal's place among all of one group: by round, then by the store that makes it. No two are equal. */
export interface Ballot {
  readonly round: number
  readonly store: string
}

/** What one server has promised and accepted of a group's home. Recorded on its disk before it is told. */
export interface Vote {
  /** Nothing earlier is taken any more. */
  readonly promised: Ballot | null
  readonly accepted: { readonly ballot: Ballot; readonly home: string } | null
}

export const NO_VOTE: Vote = { promised: null, accepted: null }

export function compareBallots(a: Ballot | null, b: Ballot | null): number {
  if (!a || !b) return Number(a !== null) - Number(b !== null)
  if (a.round !== b.round) return a.round - b.round
  return a.store === b.store ? 0 : a.store < b.store ? -1 : 1
}

/** Takes part in `ballot` and in none before it; `undefined`: a later one has been promised. */
export function promiseTo(vote: Vote, ballot: Ballot): Vote | undefined {
  return compareBallots(ballot, vote.promised) < 0 ? undefined : { ...vote, promised: ballot }
}

/** `undefined`: a later ballot has been promised. */
export function acceptHome(vote: Vote, ballot: Ballot, home: string): Vote | undefined {
  return compareBallots(ballot, vote.promised) < 0 ? undefined : { promised: ballot, accepted: { ballot, home } }
}

/** What a proposer whose ballot a majority has promised may propose: what may have been chosen already, else its own. */
export function proposalOf(promises: readonly Vote[], own: string): string {
  let latest: Vote['accepted'] = null
  for (const { accepted } of promises) {
    if (accepted && compareBallots(accepted.ballot, latest?.ballot ?? null) > 0) latest = accepted
  }
  return latest?.home ?? own
}

export function isMajority(count: number, of: number): boolean {
  return count > of / 2
}
