import { createHash } from 'node:crypto'
import type { Logger } from 'pino'
import { BLOCK_SIZE, blockRange } from 'tus-reconcile-protocol'
import type { Group } from '../groups/group.js'
import type { Groups } from '../groups/groups.js'
import { withdrawReports, writePulled } from '../groups/verification.js'
import { PeerStatusError } from './peer-client.js'
import { type Peer, type PeerDirectory, reasonOf } from './peer-directory.js'

/** Reads of one peer at a time, and blocks in each: 4 MiB (spec: brief). */
const CONCURRENCY = 2
const MAX_BLOCKS = 16
const IDLE_MS = 5000
const FIRST_RETRY_MS = 250
const MAX_RETRY_MS = 5000

/** Blocks `first` to `last - 1` of a group that one peer has. */
interface Run {
  readonly group: Group
  readonly first: number
  readonly last: number
}

interface Source {
  active: number
  retryMs: number
  timer: ReturnType<typeof setTimeout> | undefined
}

/** The home fetches what its peers verified, while the client is still uploading: commit moves nothing. */
export class Puller {
  readonly #directory: PeerDirectory
  readonly #groups: Groups
  readonly #log: Logger
  readonly #sources = new WeakMap<Peer, Source>()
  readonly #inFlight = new WeakMap<Group, Set<number>>()

  constructor(directory: PeerDirectory, groups: Groups, log: Logger) {
    this.#directory = directory
    this.#groups = groups
    this.#log = log
  }

  /** There may be something to fetch. */
  wake(): void {
    for (const peer of this.#directory.peers) this.#pump(peer)
  }

  close(): void {
    for (const peer of this.#directory.peers) clearTimeout(this.#sources.get(peer)?.timer)
  }

  /** How many blocks of the group are still to come from stores that can be reached. */
  outstanding(group: Group): number {
    let blocks = 0
    for (const store of group.blocks.reports.stores()) {
      if (this.#directory.isReachable(store)) blocks += this.#wanted(group, store).length
    }
    const inFlight = [...(this.#inFlight.get(group) ?? [])]
    return blocks + inFlight.filter((index) => !group.blocks.isVerified(index)).length
  }

  #pump(peer: Peer): void {
    const source = this.#sources.get(peer) ?? { active: 0, retryMs: FIRST_RETRY_MS, timer: undefined }
    this.#sources.set(peer, source)
    while (source.active < CONCURRENCY && !source.timer && !this.#directory.signal.aborted) {
      const run = this.#nextRun(peer)
      if (!run) return
      source.active++
      void this.#pull(peer, run).then((ok) => {
        source.active--
        source.retryMs = ok ? FIRST_RETRY_MS : Math.min(source.retryMs * 2, MAX_RETRY_MS)
        if (!ok) this.#pumpLater(peer, source)
        else this.#pump(peer)
      })
    }
  }

  #pumpLater(peer: Peer, source: Source): void {
    if (this.#directory.signal.aborted) return
    source.timer ??= setTimeout(() => {
      source.timer = undefined
      this.#pump(peer)
    }, source.retryMs)
  }

  #nextRun(peer: Peer): Run | undefined {
    if (peer.storeId === undefined) return undefined
    for (const group of this.#groups.all()) {
      if (group.hasEnded || group.home !== this.#directory.ownStoreId) continue
      const wanted = this.#wanted(group, peer.storeId).sort((a, b) => a - b)
      const [first] = wanted
      if (first === undefined) continue
      let last = first + 1
      while (last - first < MAX_BLOCKS && wanted[last - first] === last) last++
      return { group, first, last }
    }
    return undefined
  }

  #wanted(group: Group, store: string): number[] {
    const inFlight = this.#inFlight.get(group)
    return [...group.blocks.reports.by(store).keys()].filter(
      (index) => !group.blocks.isVerified(index) && !inFlight?.has(index),
    )
  }

  /** Returns whether it is worth going on at once. */
  async #pull(peer: Peer, run: Run): Promise<boolean> {
    const inFlight = this.#inFlight.get(run.group) ?? new Set<number>()
    this.#inFlight.set(run.group, inFlight)
    for (let index = run.first; index < run.last; index++) inFlight.add(index)
    try {
      await this.#fetch(peer, run)
      this.#directory.answered(peer)
      return true
    } catch (error) {
      this.#failed(peer, run, error)
      return false
    } finally {
      for (let index = run.first; index < run.last; index++) inFlight.delete(index)
    }
  }

  #failed(peer: Peer, run: Run, error: unknown): void {
    const facts = { group: run.group.id, peer: peer.client.endpoint, reason: reasonOf(error) }
    if (this.#directory.signal.aborted) return
    this.#log.warn(facts, 'pull failed')
    const lost = error instanceof PeerStatusError && (error.status === 404 || error.status === 410)
    if (!lost) this.#directory.failed(peer)
    const range = { start: run.first * BLOCK_SIZE, end: run.last * BLOCK_SIZE }
    if (lost) void withdrawReports(run.group, [peer.storeId ?? ''], [range])
  }

  async #fetch(peer: Peer, run: Run): Promise<void> {
    const { group } = run
    const start = run.first * BLOCK_SIZE
    const end = blockRange(run.last - 1, group.knownSize).end
    const message = { op: 'read', from: this.#directory.ownStoreId, group: group.id, start, end } as const
    const limits = { idleMs: IDLE_MS, signal: this.#directory.signal }
    let index = run.first
    for await (const bytes of blocksOfStream(peer.client.stream(message, limits))) {
      // what it was to be compared with is gone
      if (group.hasEnded) return
      const leaf = group.blocks.reports.by(peer.storeId ?? '').get(index)
      const found = createHash('sha256').update(bytes).digest('base64url')
      if (leaf === found) await writePulled(group, { index, leaf, bytes })
      else {
        this.#log.error(
          { group: group.id, peer: peer.client.endpoint, block: index },
          'a peer sent other bytes than it verified',
        )
        group.notify({ kind: 'mismatch', group, of: 'peer' })
        await withdrawReports(group, [peer.storeId ?? ''], [blockRange(index, group.knownSize)])
      }
      index++
    }
    this.#log.info({ group: group.id, peer: peer.client.endpoint, start, end }, 'pulled')
  }
}

/** Pieces of a block each, whatever pieces they arrive in. The last may be shorter. */
async function* blocksOfStream(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = []
  let bytes = 0
  for await (const piece of pieces) {
    held.push(piece)
    bytes += piece.length
    if (bytes < BLOCK_SIZE) continue
    const joined = Buffer.concat(held)
    let at = 0
    for (; at + BLOCK_SIZE <= joined.length; at += BLOCK_SIZE) yield joined.subarray(at, at + BLOCK_SIZE)
    held = [joined.subarray(at)]
    bytes = joined.length - at
  }
  if (bytes > 0) yield Buffer.concat(held)
}
