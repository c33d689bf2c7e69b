import type { Logger } from 'pino'
import type { OperationRequest } from 'tus-reconcile-protocol'
import { moveHome } from '../groups/ending.js'
import type { Group } from '../groups/group.js'
import type { Groups } from '../groups/groups.js'
import type { Notice } from '../groups/notice.js'
import { Refusal } from '../groups/refusal.js'
import { reportBlocks } from '../groups/verification.js'
import type { TusRequest } from '../tus-request.js'
import { forwardedHeaders } from './client-request.js'
import { HomeElection, type VoteAnswer } from './home-election.js'
import { HomeLink } from './home-link.js'
import { MemberLink } from './member-link.js'
import { type Peer, PeerDirectory, reasonOf } from './peer-directory.js'
import { type PeerMessageOf, parseReported } from './peer-messages.js'
import type { HomeFacts, OpenRequest, Peers, RelayedAnswer } from './peers.js'
import { Puller } from './puller.js'
import { SignatureVerifier, signingSecret } from './signature.js'
import type { VoteBook } from './vote-book.js'

/** A relayed operation may wait for pulls at the home; then the client asks again. */
const RELAY_IDLE_MS = 8000
const FIND_MS = 1000
/** A commit waits this long for a peer's word before it calls the file incomplete (guess: some round trips). */
const REFRESH_IDLE_MS = 2000

interface PeerNetworkOptions {
  readonly peers: readonly { readonly endpoint: string; readonly internalEndpoint: string }[]
  /** The first signs, all are accepted. Asked at every message. */
  readonly secrets: () => readonly string[]
  readonly log: Logger
  readonly groups: Groups
  readonly votes: VoteBook
}

/** All other servers, from this one's point of view. */
export class PeerNetwork implements Peers {
  readonly verifier: SignatureVerifier
  readonly directory: PeerDirectory
  readonly #election: HomeElection
  readonly #votes: VoteBook
  readonly #groups: Groups
  readonly #log: Logger
  readonly #home: HomeLink
  readonly #members: MemberLink
  readonly #puller: Puller
  #unsubscribe: () => void = () => {}

  constructor(options: PeerNetworkOptions) {
    this.#groups = options.groups
    this.#log = options.log
    this.verifier = new SignatureVerifier(options.secrets)
    this.directory = new PeerDirectory(options.peers, () => signingSecret(options.secrets()), options.log)
    this.#votes = options.votes
    this.#election = new HomeElection(this.directory, options.votes, options.log)
    this.#home = new HomeLink(this.directory, options.groups, options.log)
    this.#members = new MemberLink(this.directory, options.log)
    this.#puller = new Puller(this.directory, options.groups, options.log)
  }

  start(ownStoreId: string): void {
    this.#unsubscribe = this.#groups.subscribe((notice) => this.#hear(notice, ownStoreId))
    this.directory.onReachable(() => this.#resume(ownStoreId))
    this.directory.start(ownStoreId)
    this.#resume(ownStoreId)
  }

  openAtHome(request: OpenRequest): Promise<HomeFacts | undefined> {
    return this.#home.openAtHome(request)
  }

  clientSeen(group: Group, req: TusRequest): void {
    this.#home.clientSeen(group, forwardedHeaders(req))
  }

  /** Groups whose home has still to be asked with what their clients sent: their headers are kept. */
  get waiting(): number {
    return this.#home.waiting
  }

  async relay(store: string, operation: OperationRequest, req: TusRequest): Promise<RelayedAnswer> {
    const peer = await this.directory.find(store, FIND_MS)
    if (!peer && this.directory.isComplete) throw new Refusal('unknown-store', 'no such store is a peer of this server')
    if (!peer) throw unreachable()
    const { endpoint } = peer.client
    const headers = forwardedHeaders(req)
    try {
      const message = { op: 'relay', from: this.directory.ownStoreId, endpoint, operation, headers } as const
      const answer = await peer.client.send(message, { idleMs: RELAY_IDLE_MS, signal: this.directory.signal })
      this.directory.answered(peer)
      return { status: answer.status, body: answer.text, retryAfter: answer.retryAfter }
    } catch (cause) {
      this.directory.failed(peer)
      this.#log.warn({ peer: endpoint, op: operation.op, reason: reasonOf(cause) }, 'relay failed')
      throw unreachable(cause)
    }
  }

  terminateLater(group: Group, req: TusRequest): void {
    group.toTell.add(group.home)
    this.#members.terminateLater(group, forwardedHeaders(req))
  }

  electHome(group: Group, candidate: string): Promise<string> {
    return this.#election.elect(group.id, candidate)
  }

  vote(message: PeerMessageOf<'vote'>): Promise<VoteAnswer> {
    return this.#election.vote(message)
  }

  async moveHome(group: Group, home: string): Promise<void> {
    if (!(await moveHome(group, home))) return
    this.#log.warn({ group: group.id, home }, 'group has another home')
    this.#home.moved(group)
    if (home !== this.directory.ownStoreId) return
    for (const { storeId } of this.directory.peers) if (storeId !== undefined) group.participants.add(storeId)
    if (group.homeMove?.from) group.participants.add(group.homeMove.from)
    await group.save()
    this.#members.coverageChanged(group)
    this.#puller.wake()
  }

  /** Votes that are older than any upload. */
  forgetVotes(olderThanMs: number): Promise<void> {
    return this.#votes.forget(olderThanMs)
  }

  isReachable(store: string): boolean {
    return this.directory.isReachable(store)
  }

  async refresh(group: Group): Promise<void> {
    await Promise.all(this.directory.peers.map((peer) => this.#refreshFrom(peer, group)))
  }

  greet(store: string): void {
    this.directory.byStore(store)?.wake.abort()
  }

  greetUnknown(): void {
    this.directory.greetUnknown()
  }

  untilPulled(group: Group, ms: number): Promise<void> {
    this.#puller.wake()
    if (this.#puller.outstanding(group) === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        stop()
        resolve()
      }
      const timer = setTimeout(done, ms)
      const stop = this.#groups.subscribe((notice) => {
        if (notice.group === group && notice.kind === 'verified' && this.#puller.outstanding(group) === 0) done()
      })
    })
  }

  async close(): Promise<void> {
    this.#unsubscribe()
    this.#puller.close()
    this.directory.close()
  }

  async #refreshFrom(peer: Peer, group: Group): Promise<void> {
    const store = peer.storeId
    if (store === undefined || store === this.directory.ownStoreId || !this.isReachable(store)) return
    try {
      const message = { op: 'report', from: this.directory.ownStoreId, group: group.id } as const
      const answer = await peer.client.send(message, { idleMs: REFRESH_IDLE_MS, signal: this.directory.signal })
      if (answer.status === 200) await reportBlocks(group, store, parseReported(answer.text))
    } catch (error) {
      this.directory.failed(peer)
      this.#log.info({ peer: peer.client.endpoint, op: 'report', reason: reasonOf(error) }, 'peer not reached')
    }
  }

  #hear(notice: Notice, ownStoreId: string): void {
    const { group } = notice
    const isHome = group.home === ownStoreId
    if (notice.kind === 'groupEnded') {
      this.#home.ended(group)
      this.#members.groupEnded(group)
    } else if (!isHome && (notice.kind === 'verified' || notice.kind === 'groupOpened')) this.#home.wake(group)
    else if (isHome && notice.kind === 'verified') {
      this.#members.coverageChanged(group)
      if (notice.where === 'elsewhere') this.#puller.wake()
    } else if (isHome && notice.kind === 'bad') {
      this.#members.coverageChanged(group)
      this.#puller.wake()
    }
  }

  /** After a start, or when a peer is back: whatever was left to tell or to fetch. */
  #resume(ownStoreId: string): void {
    for (const group of this.#groups.all()) {
      if (group.hasEnded) this.#members.groupEnded(group)
      else if (group.home !== ownStoreId) this.#home.wake(group)
      else if (group.homeMove?.from) this.#members.coverageChanged(group)
    }
    this.#puller.wake()
  }
}

function unreachable(cause?: unknown): Refusal {
  const headers = { 'Retry-After': '1' }
  return new Refusal('unreachable-store', 'that store cannot be reached from here now', { headers, cause })
}
