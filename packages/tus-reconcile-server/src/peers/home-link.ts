import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { formatPartitionHeader } from 'tus-reconcile-protocol'
import { endGroup } from '../groups/ending.js'
import type { Group } from '../groups/group.js'
import type { Groups } from '../groups/groups.js'
import { Refusal } from '../groups/refusal.js'
import { forwardedHeaders } from './client-request.js'
import type { PeerAnswer } from './peer-client.js'
import { type Peer, type PeerDirectory, reasonOf } from './peer-directory.js'
import { type EndedAnswer, type PeerMessageOf, parseEnded, parseFailure, parseOpened } from './peer-messages.js'
import type { HomeFacts, OpenRequest } from './peers.js'

/** A first answer waits this long for the home; then the session is taken provisionally (spec: brief). */
const OPEN_WAIT_MS = 1500
/** One that has just failed gets less. */
const OPEN_WAIT_FAILING_MS = 300
const IDLE_MS = 5000
/** Verified blocks travel together. */
const BATCH_MS = 50
const MAX_BATCH = 4096
const FIRST_RETRY_MS = 200
const MAX_RETRY_MS = 3000

/** A mirror's side of a group: asks its home to open it, and reports what was verified until the home knows. */
export class HomeLink {
  readonly #directory: PeerDirectory
  readonly #groups: Groups
  readonly #log: Logger
  readonly #reported = new WeakMap<Group, Set<number>>()
  readonly #running = new Set<Group>()
  readonly #asked = new Map<string, PeerMessageOf<'open'>>()

  constructor(directory: PeerDirectory, groups: Groups, log: Logger) {
    this.#directory = directory
    this.#groups = groups
    this.#log = log
  }

  /** @returns `undefined` when the home cannot be reached in time. @throws Refusal when it refuses */
  async openAtHome(request: OpenRequest): Promise<HomeFacts | undefined> {
    const untilMs = Date.now() + OPEN_WAIT_MS
    const home = await this.#directory.find(request.header.home, OPEN_WAIT_MS)
    if (!home && this.#directory.isComplete) {
      throw new Refusal('unknown-store', 'the home of this upload is no peer of this server')
    }
    const message = this.#openMessage(formatPartitionHeader(request.header), {
      endpoint: home?.client.endpoint ?? '',
      metadata: request.metadata,
      headers: forwardedHeaders(request.req),
    })
    this.#asked.set(request.header.group, message)
    if (!home) return undefined
    const leftMs = Math.max(100, untilMs - Date.now())
    const isFailing = home.failingSinceMs !== undefined
    const answer = await this.#send(home, message, isFailing ? Math.min(leftMs, OPEN_WAIT_FAILING_MS) : leftMs)
    if (!answer || answer.status >= 500) return undefined
    this.#asked.delete(request.header.group)
    return openedOrThrow(answer)
  }

  /** The headers of a request that the group's client makes now, where those of its first one are not known any more. */
  clientSeen(group: Group, headers: [string, string][]): void {
    if (group.opened || group.home === this.#directory.ownStoreId || this.#asked.has(group.id)) return
    const message = this.#openAgain(group, headers)
    if (!message) return
    this.#asked.set(group.id, message)
    this.wake(group)
  }

  /** The group has another home, which knows nothing yet of what this store has. */
  moved(group: Group): void {
    this.#reported.delete(group)
    const asked = this.#asked.get(group.id)
    this.#asked.delete(group.id)
    const again = asked && this.#openAgain(group, asked.headers)
    if (again) this.#asked.set(group.id, again)
    this.wake(group)
  }

  /** The group has ended: nothing of it is asked for again. */
  ended(group: Group): void {
    this.#asked.delete(group.id)
    this.#reported.delete(group)
  }

  get waiting(): number {
    return this.#asked.size
  }

  /** Something of this group may have to be told to its home. */
  wake(group: Group): void {
    if (this.#directory.signal.aborted || group.hasEnded) return
    if (this.#running.has(group) || !this.#hasNews(group)) return
    this.#running.add(group)
    void this.#run(group).finally(() => {
      this.#running.delete(group)
      // news may have come after the last look
      this.wake(group)
    })
  }

  async #run(group: Group): Promise<void> {
    let retryMs = FIRST_RETRY_MS
    await this.#pause(BATCH_MS)
    while (!group.hasEnded && !this.#directory.signal.aborted && this.#hasNews(group)) {
      const done = group.opened ? await this.#report(group) : await this.#open(group)
      await this.#pause(done ? BATCH_MS : retryMs)
      retryMs = done ? FIRST_RETRY_MS : Math.min(retryMs * 2, MAX_RETRY_MS)
    }
  }

  /** A group that the home has not opened waits until somebody's headers are known to ask with: none are on disk. */
  #hasNews(group: Group): boolean {
    if (group.home === this.#directory.ownStoreId) return false
    return group.opened ? this.#unreported(group).length > 0 : this.#asked.has(group.id)
  }

  #unreported(group: Group): { index: number; leaf: string }[] {
    const reported = this.#reported.get(group)
    const blocks: { index: number; leaf: string }[] = []
    for (const [index, leaf] of group.blocks.verifiedLeaves()) {
      if (!reported?.has(index) && blocks.length < MAX_BATCH) blocks.push({ index, leaf })
    }
    return blocks
  }

  async #report(group: Group): Promise<boolean> {
    const home = this.#directory.byStore(group.home)
    if (!home) return false
    const blocks = this.#unreported(group)
    const from = this.#directory.ownStoreId
    const answer = await this.#send(home, { op: 'verified', from, group: group.id, blocks }, IDLE_MS)
    if (!answer) return false
    if (answer.status === 200) {
      const reported = this.#reported.get(group) ?? new Set<number>()
      this.#reported.set(group, reported)
      for (const { index } of blocks) reported.add(index)
      return true
    }
    // the home has lost the group, or never heard of it
    if (answer.status === 404) group.opened = false
    return this.#endedBy(group, answer)
  }

  async #open(group: Group): Promise<boolean> {
    const home = this.#directory.byStore(group.home)
    const asked = this.#asked.get(group.id)
    if (!home || !asked) return false
    const answer = await this.#send(home, { ...asked, endpoint: home.client.endpoint }, IDLE_MS)
    if (!answer || answer.status >= 500) return false
    if (await this.#endedBy(group, answer)) return true
    try {
      const facts = openedOrThrow(answer)
      await group.queue.run(() => {
        group.opened = true
        group.url = facts.url
        group.maxSize = facts.maxSize
        group.metadata = facts.metadata
        this.#groups.nameFile(group, facts.fileId)
        this.#reported.delete(group)
      })
      this.#asked.delete(group.id)
      await group.save()
      this.#log.info({ group: group.id, home: group.home }, 'group opened at its home')
    } catch (error) {
      this.#log.warn(
        { group: group.id, reason: reasonOf(error) },
        'the home refuses a group that was taken provisionally',
      )
      await endGroup(group, 'terminated')
    }
    return true
  }

  async #endedBy(group: Group, answer: PeerAnswer): Promise<boolean> {
    const ended: EndedAnswer | undefined = answer.status === 410 ? parseEnded(answer.text) : undefined
    if (!ended) return false
    await endGroup(group, ended.state, ended.url)
    return true
  }

  /** After a restart the first request is forgotten: the record says enough to ask again, but for its headers. */
  #openAgain(group: Group, headers: PeerMessageOf<'open'>['headers']): PeerMessageOf<'open'> | undefined {
    const [session] = group.sessions.values()
    if (!session) return undefined
    const partition = formatPartitionHeader({
      group: group.id,
      partition: session.partition,
      session: session.id,
      attempt: 0,
      client: session.client,
      start: session.start,
      ...(group.size === null ? {} : { size: group.size }),
      home: group.home,
      ...(group.homeMove ? { any: true } : {}),
    })
    return this.#openMessage(partition, { endpoint: '', metadata: group.metadata, headers })
  }

  #openMessage(
    partition: string,
    facts: Pick<PeerMessageOf<'open'>, 'endpoint' | 'headers'> & { readonly metadata: Group['metadata'] },
  ): PeerMessageOf<'open'> {
    const metadata = facts.metadata === null ? null : { ...facts.metadata }
    return { op: 'open', from: this.#directory.ownStoreId, partition, ...facts, metadata }
  }

  async #send(
    peer: Peer,
    message: PeerMessageOf<'open'> | PeerMessageOf<'verified'>,
    idleMs: number,
  ): Promise<PeerAnswer | undefined> {
    try {
      const answer = await peer.client.send(message, { idleMs, signal: this.#directory.signal })
      this.#directory.answered(peer)
      return answer
    } catch (error) {
      this.#directory.failed(peer)
      this.#log.info({ peer: peer.client.endpoint, op: message.op, reason: reasonOf(error) }, 'peer not reached')
      return undefined
    }
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#directory.signal }).catch(() => {})
  }
}

function openedOrThrow(answer: PeerAnswer): HomeFacts {
  if (answer.status === 200) return parseOpened(answer.text)
  const ended = answer.status === 410 ? parseEnded(answer.text) : undefined
  if (ended) {
    const headers = { 'Reconcile-State': ended.state, ...(ended.url ? { 'Reconcile-Upload': ended.url } : {}) }
    throw new Refusal('group-ended', `this upload is ${ended.state}`, { headers })
  }
  throw new Refusal('refused-by-hook', parseFailure(answer.text).message, { status: answer.status })
}
