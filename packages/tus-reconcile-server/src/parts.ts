import { randomBytes } from 'node:crypto'
import { type Logger, pino } from 'pino'
import { readStored } from './dedup/stored-bytes.js'
import { WholeFiles } from './dedup/whole-files.js'
import { BackgroundPace } from './groups/background-pace.js'
import { EventHub } from './groups/events.js'
import { FlatDigests } from './groups/flat-digests.js'
import { Groups } from './groups/groups.js'
import { LateDigests } from './groups/late-digests.js'
import { OffsetReports } from './groups/offset-reports.js'
import type { Site } from './handlers/exchange/site.js'
import { heardByMany } from './heard-by-many.js'
import { type Bounds, resolveBounds } from './limits/bounds.js'
import { Limits } from './limits/limits.js'
import { PlainHolds } from './limits/plain-holds.js'
import { LoadMonitor } from './load/load-monitor.js'
import { Metrics } from './metrics/metrics.js'
import { PeerNetwork } from './peers/peer-network.js'
import { VoteBook } from './peers/vote-book.js'
import { PlainStore } from './plain/plain-store.js'
import { privateLog } from './private-log.js'
import { checkOptions, isLong, normalPeers, type ReconcileOptions, secretsOf } from './reconcile-options.js'
import { LevelIndex } from './records/level-index.js'
import type { PartitionIndex } from './records/partition-index.js'
import { unmakeFile } from './recovery/unmake-file.js'
import { DirectoryLock } from './store/directory-lock.js'
import type { RangeStore } from './store/range-store.js'

const DAY_MS = 86_400_000

/** What a mounted extension is made of, before its records are loaded. */
export interface Parts {
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
  readonly plainHolds: PlainHolds
  readonly hub: EventHub
  readonly pace: BackgroundPace
  readonly flatDigests: FlatDigests
  readonly lateDigests: LateDigests
  readonly wholeFiles: WholeFiles
  readonly offsets: OffsetReports
  readonly network: PeerNetwork
  readonly expireMs: number
  readonly commitAt: 'home' | 'any'
}

/** @throws TypeError that names the option at fault */
export function createParts(store: RangeStore, options: ReconcileOptions): Parts {
  checkOptions(options)
  const log = privateLog(options.logger ?? pino({ level: 'silent' }))
  const sideDirectory = store.ownPath('arriving')
  const index = options.index ?? defaultIndex(store)
  const groups = groupsIn(store, index)
  const bounds = resolveBounds(options)
  const limits = new Limits(bounds.limits)
  const plainHolds = new PlainHolds(limits)
  const load = new LoadMonitor()
  const network = networkOf(options, { store, groups, log })
  const metrics = new Metrics(groups, load, network.directory)
  store.onWritten = (bytes, seconds) => metrics.plain.wrote(bytes, seconds)
  const pace = new BackgroundPace(() => load.isLoopBusy)
  return {
    store,
    sideDirectory,
    plain: new PlainStore(store, {
      counts: plainHolds,
      became: (state, uploads) => metrics.plain.became(state, uploads),
      staging: { directory: sideDirectory, isShort: () => store.space.isShort() },
      isTaken: async (id) => groups.byFileId(id)?.hasEnded === false || (await store.holds(id)),
    }),
    log,
    index,
    lock: new DirectoryLock(store.ownPath('lock')),
    dedupScope: options.dedup?.scope,
    groups,
    metrics,
    load,
    bounds,
    limits,
    plainHolds,
    draining: heardByMany(),
    closing: heardByMany(),
    hub: new EventHub(randomBytes(6).toString('hex'), bounds.limits.eventStreams.client),
    pace,
    flatDigests: new FlatDigests(pace),
    lateDigests: new LateDigests(pace),
    wholeFiles: new WholeFiles(index.contents, store, log),
    offsets: new OffsetReports(),
    network,
    expireMs: store.getExpiration() > 0 ? store.getExpiration() : DAY_MS,
    commitAt: options.commitAt ?? 'home',
  }
}

function groupsIn(store: RangeStore, index: PartitionIndex): Groups {
  const groups = new Groups({
    index,
    files: store.backend,
    isDurable: store.durability === 'disk',
    isDiskFull: () => store.space.isShort(),
    readStored: (fileId, position, length) => readStored(groups, store, { fileId, position, length }),
    unmakeFile: (group) => unmakeFile(store, group),
    now: Date.now,
  })
  return groups
}

function networkOf(options: ReconcileOptions, parts: Pick<Parts, 'store' | 'groups' | 'log'>): PeerNetwork {
  const { store, groups, log } = parts
  return new PeerNetwork({
    peers: normalPeers(options),
    secrets: () => secretsOf(options).filter(isLong),
    log,
    groups,
    votes: new VoteBook(store.ownPath('votes')),
  })
}

function defaultIndex(store: RangeStore): PartitionIndex {
  return new LevelIndex({
    directory: store.ownPath('index'),
    firstVersion: store.ownPath('records.json'),
    sync: store.durability === 'disk',
  })
}
