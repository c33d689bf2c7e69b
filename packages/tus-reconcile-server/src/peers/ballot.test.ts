import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  acceptHome,
  type Ballot,
  compareBallots,
  isMajority,
  NO_VOTE,
  promiseTo,
  proposalOf,
  type Vote,
} from './ballot.js'

/** A proposer's next message to one server; it arrives, or is lost, in any order with those of others. */
interface Step {
  readonly proposer: number
  readonly server: number
  readonly restart: boolean
}

class Proposer {
  ballot: Ballot
  promises: Vote[] = []
  accepts = 0
  asked = new Set<number>()
  home: string | undefined
  readonly store: string
  constructor(store: string) {
    this.store = store
    this.ballot = { round: 0, store }
  }
  begin(): void {
    this.ballot = { round: this.ballot.round + 1, store: this.store }
    this.promises = []
    this.accepts = 0
    this.asked = new Set()
    this.home = undefined
  }
}

test('whatever is lost, late or repeated, no two homes are ever chosen for one group', () => {
  const step = fc.record({
    proposer: fc.nat({ max: 2 }),
    server: fc.nat({ max: 4 }),
    restart: fc.boolean().map((value) => value),
  })
  fc.assert(
    fc.property(fc.constantFrom(1, 2, 3, 4, 5), fc.array(step, { maxLength: 200 }), (servers, steps) => {
      const votes = Array.from({ length: servers }, () => NO_VOTE)
      const proposers = ['a', 'b', 'c'].map((store) => new Proposer(store))
      const chosen = new Set<string>()
      for (const each of steps) run(each, { votes, proposers, chosen })
      expect(chosen.size).toBeLessThanOrEqual(1)
    }),
    { numRuns: 2000 },
  )
})

function run(step: Step, world: { votes: Vote[]; proposers: Proposer[]; chosen: Set<string> }): void {
  const { votes, proposers, chosen } = world
  const proposer = proposers[step.proposer]
  const server = step.server % votes.length
  const vote = votes[server]
  if (!proposer || !vote) return
  if (proposer.ballot.round === 0 || (step.restart && step.server === 4)) proposer.begin()
  if (proposer.asked.has(server)) return
  proposer.asked.add(server)
  if (proposer.home === undefined) {
    const promised = promiseTo(vote, proposer.ballot)
    if (!promised) return
    votes[server] = promised
    proposer.promises.push(promised)
    if (!isMajority(proposer.promises.length, votes.length)) return
    proposer.home = proposalOf(proposer.promises, proposer.store)
    proposer.asked = new Set()
    return
  }
  const accepted = acceptHome(vote, proposer.ballot, proposer.home)
  if (!accepted) return
  votes[server] = accepted
  proposer.accepts++
  if (isMajority(proposer.accepts, votes.length)) chosen.add(proposer.home)
}

test('ballots are in one order: by round, then by store, none is the first', () => {
  const a1 = { round: 1, store: 'a' }
  const b1 = { round: 1, store: 'b' }
  const a2 = { round: 2, store: 'a' }
  expect([a2, null, b1, a1].sort(compareBallots)).toEqual([null, a1, b1, a2])
})
