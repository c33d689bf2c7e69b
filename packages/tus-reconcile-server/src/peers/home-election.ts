import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { Refusal } from '../groups/refusal.js'
import { acceptHome, type Ballot, isMajority, promiseTo, proposalOf, type Vote } from './ballot.js'
import { type Peer, type PeerDirectory, reasonOf } from './peer-directory.js'
import { type PeerMessageOf, parseVote } from './peer-messages.js'
import type { VoteBook } from './vote-book.js'

/** A server that has not voted by then is counted as away (guess: some round trips and a sync). */
const VOTE_IDLE_MS = 2000
const MAX_ROUNDS = 5
/** Two that ask at once get out of each other's way. */
const MAX_PAUSE_MS = 200

/** What one server has answered. `taken`: it goes along with the ballot. */
export interface VoteAnswer extends Vote {
  readonly taken: boolean
}

interface Proposal {
  readonly group: string
  readonly ballot: Ballot
  /** Absent in the first step, which asks for promises. */
  readonly home?: string
}

/**
 * Where a group is committed, once for all, by a majority of the servers that list each other: single-decree Paxos
 * (Lamport, "Paxos Made Simple"), with the `Store-Id` of the home as the value. Any two majorities share a server, and
 * none of these forgets what it has accepted: two homes are never chosen.
 */
export class HomeElection {
  readonly #directory: PeerDirectory
  readonly #book: VoteBook
  readonly #log: Logger

  constructor(directory: PeerDirectory, book: VoteBook, log: Logger) {
    this.#directory = directory
    this.#book = book
    this.#log = log
  }

  get #voters(): number {
    return this.#directory.peers.length + 1
  }

  /** The store that may commit the group: `candidate`, unless another may have been chosen. @throws Refusal */
  async elect(group: string, candidate: string): Promise<string> {
    let round = 1
    for (let tries = 0; tries < MAX_ROUNDS; tries++) {
      const ballot = { round, store: this.#directory.ownStoreId }
      const first = await this.#ask({ group, ballot })
      const promises = first.filter(({ taken }) => taken)
      if (isMajority(promises.length, this.#voters)) {
        const home = proposalOf(promises, candidate)
        const second = await this.#ask({ group, ballot, home })
        if (isMajority(second.filter(({ taken }) => taken).length, this.#voters)) return home
        first.push(...second)
      } else if (!isMajority(first.length, this.#voters)) break
      round = Math.max(round, ...first.map(({ promised }) => promised?.round ?? 0)) + 1
      await sleep(randomInt(MAX_PAUSE_MS), undefined, { signal: this.#directory.signal }).catch(() => {})
    }
    throw new Refusal('unreachable-store', 'a majority of the servers must agree on where this is committed', {
      headers: { 'Retry-After': '1' },
    })
  }

  /** Another server asks for this one's vote. @throws Refusal when it counts other voters than this one */
  async vote(message: PeerMessageOf<'vote'>): Promise<VoteAnswer> {
    if (message.voters !== this.#voters) {
      throw new Refusal('contradiction', `${this.#voters} servers list each other here, not ${message.voters}`)
    }
    const { group, round, home } = message
    const ballot = { round, store: message.from }
    return this.#voteHere(home === null ? { group, ballot } : { group, ballot, home })
  }

  async #voteHere({ group, ballot, home }: Proposal): Promise<VoteAnswer> {
    const { vote, taken } = await this.#book.change(group, (known) =>
      home === undefined ? promiseTo(known, ballot) : acceptHome(known, ballot, home),
    )
    return { ...vote, taken }
  }

  /** Everybody's answers, of those that answer. */
  async #ask(proposal: Proposal): Promise<VoteAnswer[]> {
    const peers = this.#directory.peers.map((peer) => this.#askPeer(peer, proposal))
    const answers = await Promise.all([this.#voteHere(proposal), ...peers])
    return answers.filter((answer) => answer !== undefined)
  }

  async #askPeer(peer: Peer, proposal: Proposal): Promise<VoteAnswer | undefined> {
    const from = this.#directory.ownStoreId
    const { group, ballot, home } = proposal
    const message = { op: 'vote', from, group, round: ballot.round, home: home ?? null, voters: this.#voters } as const
    try {
      const answer = await peer.client.send(message, { idleMs: VOTE_IDLE_MS, signal: this.#directory.signal })
      this.#directory.answered(peer)
      if (answer.status === 200) return parseVote(answer.text)
      this.#log.warn({ group, peer: peer.client.endpoint, status: answer.status }, 'peer does not vote')
    } catch (error) {
      this.#directory.failed(peer)
      this.#log.info({ peer: peer.client.endpoint, op: 'vote', reason: reasonOf(error) }, 'peer not reached')
    }
    return undefined
  }
}
