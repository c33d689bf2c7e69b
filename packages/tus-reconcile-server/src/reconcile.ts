import { randomBytes } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { MemoryLocker, type Server } from '@tus/server'
import type { Logger } from 'pino'
import { pino } from 'pino'
import { EXPOSED_HEADERS, REQUEST_HEADERS } from 'tus-reconcile-protocol'
import { ContentCatalog } from './content-catalog.js'
import { feedEvents, logNotice } from './event-feed.js'
import { EventHub } from './groups/events.js'
import { FlatDigests } from './groups/flat-digests.js'
import type { Group } from './groups/group.js'
import { Groups } from './groups/groups.js'
import { OffsetReports } from './groups/offset-reports.js'
import { mountConcatenation } from './handlers/concatenation-only.js'
import { MadeFinals } from './handlers/made-finals.js'
import { mountRoutes } from './handlers/mount.js'
import { recoverCommits, recoverHooks } from './handlers/op-commit.js'
import { partialServer } from './handlers/partial-uploads.js'
import { PlainStore } from './handlers/plain-store.js'
import { QueueLocker } from './handlers/queue-locker.js'
import { recoverFinals } from './handlers/recover-finals.js'
import { REQUEST_ID } from './handlers/request-log.js'
import type { Site } from './handlers/site.js'
import { type BoundOptions, type Bounds, resolveBounds } from './limits/bounds.js'
import { Limits } from './limits/limits.js'
import { LoadMonitor } from './load/load-monitor.js'
import { Metrics } from './metrics/metrics.js'
import { PeerNetwork } from './peers/peer-network.js'
import { VoteBook } from './peers/vote-book.js'
import { privateLog } from './private-log.js'
import { LevelIndex } from './records/level-index.js'
import type { PartitionIndex } from './records/partition-index.js'
import { recoverStore } from './recovery/recover-store.js'
import { DirectoryLock } from './store/directory-lock.js'
import { RangeStore } from './store/range-store.js'
import { loadStoreId } from './store/store-id.js'
import { readStored } from './stored-bytes.js'
import type { TusRequest } from './tus-request.js'
import { WholeFiles } from './whole-files.js'

export interface PeerOptions {
  /** The address clients know this peer by. */
  readonly endpoint: string
  /** The address this server reaches it at, if another. */
  readonly internalEndpoint?: string
}

export interface ReconcileOptions extends BoundOptions {
  /** The other servers: the only addresses this one ever calls. */
  readonly peers?: readonly (string | PeerOptions)[]
  /**
   * Shared with the peers: the first signs, all are accepted. At least 16 characters each. A function is asked at every
   * message, so that secrets can be changed while the server runs; it throws nothing and costs little.
   */
  readonly secrets?: readonly string[] | (() => readonly string[])
  /**
   * `'any'`: where a file's client asks for it and the file's home stays away, another store may become its home, when
   * a majority of all servers agrees; the home's own commit of such a file needs that majority too. All servers that
   * list each other must say the same, and each list all others; with fewer than three it never helps.
   * Default: `'home'`.
   */
  readonly commitAt?: 'home' | 'any'
  /**
   * Where groups are recorded. Default: an embedded database in the store's directory, which one process at a time can
   * use.
   */
  readonly index?: PartitionIndex
  /** Every event and request goes there, without metadata, digests, secrets, headers and query strings. Default: silent. */
  readonly logger?: Logger
  /**
   * Blocks that are stored already need not be sent again. `scope` says within which files: those of the same tenant,
   * by an id of yours for whoever sends the request (undefined: none). It is asked when an upload is opened and at its
   * `have` and `claim`. All who share an id learn of each other which blocks are there: it is a boundary of trust.
   * Whole equal files of one id share their storage where the disk has hard links: replace a finished file by another,
   * never write into it. Default: within each file only.
   */
  readonly dedup?: {
    readonly scope: (req: TusRequest) => string | undefined | Promise<string | undefined>
  }
}

/** `ready` takes uploads. `failed`: the records cannot be read. */
export interface Health {
  readonly state: 'starting' | 'ready' | 'draining' | 'failed'
  /** The `Store-Id`, once it is known. */
  readonly storeId?: string
}

export interface ReconcileExtension {
  /**
   * Settles when records are loaded; rejects when they cannot be read. Requests wait for it. `storeId` is empty where
   * the datastore is no RangeStore.
   */
  readonly ready: Promise<{ readonly storeId: string }>
  /**
   * New sessions and bodies are answered 503 from now on; those that run end with the block that they are in, which
   * is acknowledged. Settles when all have ended, or after 3 s. Operations go on until `close`.
   */
  drain(): Promise<void>
  /** Ends streams, timers and running writes, and writes the records. Requests that come later are answered 503. */
  close(): Promise<void>
  /** For a load balancer: whether new uploads should be sent here. */
  health(): Health
  /** Figures of this server since it began, in Prometheus' text format. Labels hold no ids and no names. */
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>
  /** Ends what has expired. Returns how many uploads that were. */
  cleanUp(): Promise<number>
}

const MIN_SECRET = 16
const DAY_MS = 86_400_000
/** Votes stay this many times as long as an upload without a byte: by then no store has the upload any more. */
const VOTES_KEPT = 4

/** How long a running body may still bring the rest of its block (guess: a block at 1 Mbit/s). */
const DRAIN_MS = 3000

/**
 * Mounts the extension on a @tus/server whose datastore is a RangeStore. On any other datastore that has `read(id)` it
 * brings concatenation by copying, and announces nothing else.
 */
export function reconcile(server: Server, options: ReconcileOptions = {}): ReconcileExtension {
  const { datastore } = server
  if (!(datastore instanceof RangeStore)) {
    return mountConcatenation(server, options, privateLog(options.logger ?? pino({ level: 'silent' })))
  }
  const parts = createParts(datastore, options)
  const { groups, store, log, network } = parts
  const site = start(server, parts)
  site.catch(() => parts.lock.release())
  prepareOptions(server, parts.metrics)
  mountRoutes(server, site, { verifier: network.verifier, plain: parts.plain })
  const cleanUp = async (): Promise<number> => {
    await site
    await network.forgetVotes(VOTES_KEPT * parts.expireMs)
    return (await groups.expire(parts.expireMs)) + (await store.deleteExpired())
  }
  const timer = setInterval(
    () => void cleanUp().catch((err) => log.error({ err }, 'clean-up failed')),
    parts.bounds.cleanUpIntervalMs,
  )
  timer.unref()
  return {
    ready: site.then(({ storeId }) => ({ storeId })),
    cleanUp,
    health: healthOf(site, parts.draining.signal),
    metrics: async () => ({ contentType: parts.metrics.contentType, text: await parts.metrics.text() }),
    drain: async () => {
      parts.draining.abort()
      await site.catch(() => {})
      await Promise.race([groups.drain(), sleep(DRAIN_MS, undefined, { ref: false })])
    },
    close: async () => {
      clearInterval(timer)
      parts.draining.abort()
      parts.closing.abort()
      await site.catch(() => {})
      parts.offsets.close()
      parts.flatDigests.close()
      parts.load.close()
      await network.close()
      await groups.close()
      await parts.index.close()
      await parts.lock.release()
    },
  }
}

function healthOf(site: Promise<Site>, draining: AbortSignal): () => Health {
  let started: Health = { state: 'starting' }
  site.then(
    ({ storeId }) => {
      started = { state: 'ready', storeId }
    },
    () => {
      started = { state: 'failed' }
    },
  )
  return () => (draining.aborted && started.state !== 'failed' ? { ...started, state: 'draining' } : started)
}

interface Parts {
  readonly store: RangeStore
  readonly plain: PlainStore
  readonly sideDirectory: string
  readonly log: Logger
  readonly draining: AbortController
  readonly closing: AbortController
  readonly index: PartitionIndex
  readonly lock: DirectoryLock
  readonly dedupScope: Site['dedupScope']
  readonly groups: Groups
  readonly metrics: Metrics
  readonly load: LoadMonitor
  readonly bounds: Bounds
  readonly limits: Limits
  readonly hub: EventHub
  readonly flatDigests: FlatDigests
  readonly wholeFiles: WholeFiles
  readonly offsets: OffsetReports
  readonly network: PeerNetwork
  readonly expireMs: number
  readonly commitAt: 'home' | 'any'
}

/** @throws TypeError that names the option at fault */
function createParts(store: RangeStore, options: ReconcileOptions): Parts {
  const log = privateLog(options.logger ?? pino({ level: 'silent' }))
  const sideDirectory = store.ownPath('arriving')
  const index = options.index ?? defaultIndex(store)
  const groups = new Groups({
    index,
    files: store.backend,
    isDurable: store.durability === 'disk',
    isDiskFull: () => store.space.isShort(),
    readStored: (fileId, position, length) => readStored(groups, store, { fileId, position, length }),
    now: Date.now,
  })
  const bounds = resolveBounds(options)
  const load = new LoadMonitor()
  return {
    store,
    sideDirectory,
    plain: new PlainStore(store, {
      sideDirectory,
      isTaken: async (id) => groups.byFileId(id)?.hasEnded === false || (await store.holds(id)),
    }),
    log,
    index,
    lock: new DirectoryLock(store.ownPath('lock')),
    dedupScope: options.dedup?.scope,
    groups,
    metrics: new Metrics(groups, load),
    load,
    bounds,
    limits: new Limits(bounds.limits),
    draining: new AbortController(),
    closing: closingOf(),
    hub: new EventHub(randomBytes(6).toString('hex'), bounds.limits.eventStreams.client),
    flatDigests: new FlatDigests(),
    wholeFiles: new WholeFiles(index.contents, store, log),
    offsets: new OffsetReports(),
    network: new PeerNetwork({
      peers: normalPeers(options),
      secrets: () => secretsOf(options).filter(isLong),
      log,
      groups,
      votes: new VoteBook(store.ownPath('votes')),
    }),
    expireMs: store.getExpiration() > 0 ? store.getExpiration() : DAY_MS,
    commitAt: options.commitAt ?? 'home',
  }
}

/** Each event stream listens to it, and there may be thousands. */
function closingOf(): AbortController {
  const closing = new AbortController()
  setMaxListeners(0, closing.signal)
  return closing
}

function defaultIndex(store: RangeStore): PartitionIndex {
  return new LevelIndex({
    directory: store.ownPath('index'),
    firstVersion: store.ownPath('records.json'),
    sync: store.durability === 'disk',
  })
}

/** Loads what is recorded, then lets the parts hear of each other. */
async function start(server: Server, parts: Parts): Promise<Site> {
  const { store, plain, sideDirectory, groups, hub, log, metrics, load, network, expireMs, commitAt } = parts
  await parts.lock.acquire()
  await groups.load()
  await rm(sideDirectory, { recursive: true, force: true })
  const storeId = await loadStoreId(store.ownPath('store-id'))
  await store.prepare()
  const signals = { draining: parts.draining.signal, closing: parts.closing.signal }
  // each event stream listens to it
  setMaxListeners(0, parts.closing.signal)
  const partials = partialServer(server, plain)
  const { bounds, limits, dedupScope, flatDigests, wholeFiles } = parts
  const observed = { log, metrics, load, bounds, limits }
  const finals = new MadeFinals(store.ownPath('finals'), store.durability === 'disk')
  const shared = { server, dedupScope, flatDigests, wholeFiles, plain, partials, finals, ...observed, commitAt }
  const site: Site = { ...shared, store, sideDirectory, storeId, groups, hub, peers: network, expireMs, ...signals }
  groups.subscribe((notice) => feedEvents(hub, parts.offsets, notice))
  groups.subscribe((notice) => logNotice(log, storeId, notice))
  load.onChange = (now) => hub.tellAll({ type: 'load', load: now })
  groups.subscribe((notice) => metrics.hear(notice))
  limits.restore(groups.all())
  groups.subscribe((notice) => limits.hear(notice))
  groups.subscribe((notice) => flatDigests.hear(notice))
  rememberContents(parts, storeId)
  network.start(storeId)
  await recoverStore(site)
  await recoverCommits(site)
  await recoverFinals(site, store)
  // votes on it may be forgotten elsewhere: it is gone before anybody can ask for it
  await groups.expire(expireMs)
  recoverHooks(site)
  return site
}

/** What is verified in a scope is found in it, from now on and from before. */
function rememberContents({ index, groups, store, log }: Parts, storeId: string): void {
  const catalog = new ContentCatalog(index.contents, storeId, log)
  groups.subscribe((notice) => catalog.hear(notice))
  store.onRemoved = (id) => {
    catalog.remove(id)
    return noteRemoved(groups.byFileId(id))
  }
  catalog.repair(groups.all())
}

/** Another file may come to the name of one that is gone. Settles when that is recorded, or could not be. */
async function noteRemoved(group: Group | undefined): Promise<void> {
  if (group?.state !== 'committed' || !group.commit) return
  group.commit = { ...group.commit, sha256: null, removed: true }
  await group.save().catch(() => {})
}

/** Our headers join the user's; a locker that does not spin takes the place of the built-in one. */
function prepareOptions(server: Server, metrics: Metrics): void {
  const { options } = server
  options.allowedHeaders = [...(options.allowedHeaders ?? []), ...REQUEST_HEADERS, REQUEST_ID]
  options.exposedHeaders = [...(options.exposedHeaders ?? []), ...EXPOSED_HEADERS, REQUEST_ID]
  if (options.locker instanceof MemoryLocker) {
    options.locker = new QueueLocker((seconds) => metrics.waitedForLock(seconds))
  }
}

function normalPeers(options: ReconcileOptions): { endpoint: string; internalEndpoint: string }[] {
  const peers = (options.peers ?? []).map((peer) => {
    const { endpoint, internalEndpoint } = typeof peer === 'string' ? { endpoint: peer } : peer
    return { endpoint: httpUrl(endpoint), internalEndpoint: httpUrl(internalEndpoint ?? endpoint) }
  })
  const secrets = secretsOf(options)
  if (peers.length > 0 && secrets.length === 0) {
    throw new TypeError('peers need a shared secret: reconcile(server, { peers, secrets: [...] })')
  }
  if (!secrets.every(isLong)) throw new TypeError(`a shared secret has at least ${MIN_SECRET} characters`)
  return peers
}

function secretsOf({ secrets = [] }: ReconcileOptions): readonly string[] {
  return typeof secrets === 'function' ? secrets() : secrets
}

function isLong(secret: string): boolean {
  return secret.length >= MIN_SECRET
}

function httpUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new TypeError(`a peer is an http(s) URL of its endpoint, not ${JSON.stringify(text)}`)
  }
  return text.replace(/\/$/, '')
}
