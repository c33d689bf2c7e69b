import type { Group } from '../groups/group.js'
import type { Notice } from '../groups/notice.js'
import { REFUSAL_CODES, type RefusalCode } from '../groups/refusal.js'
import { bytesOf } from '../groups/verification.js'
import { DISK_BUCKETS, REQUEST_BUCKETS } from './buckets.js'
import { OwnRegistry, opened } from './own-registry.js'
import { PlainMetrics } from './plain-metrics.js'

/** What a request is for: the only values of the label `kind`. */
const REQUEST_KINDS = ['create', 'append', 'head', 'delete', 'options', 'get', 'operation', 'peer'] as const
export type RequestKind = (typeof REQUEST_KINDS)[number]

const GROUP_STATES = ['open', 'committing', 'committed', 'terminated', 'expired'] as const
const SESSION_STATES = ['inProgress', 'completed', 'superseded', 'failed'] as const
const GROUP_ENDS = ['committed', 'terminated', 'expired']
const SESSION_ENDS = ['completed', 'superseded', 'terminated', 'expired']
const MISMATCHES = ['claim', 'copy', 'peer', 'checksum', 'root'] as const

/** The groups, looked over at each scrape rather than counted. */
interface KnownGroups {
  all(): Iterable<Group>
}

const PEER_STATES = ['reachable', 'unknown', 'failing', 'refusing'] as const

/** The other servers, asked at each scrape. */
interface KnownPeers {
  states(): Iterable<(typeof PEER_STATES)[number]>
}

/** The extension's figures in a registry of their own. Labels have fixed values only: no id, no name, no address. */
export class Metrics {
  readonly #registry = new OwnRegistry()
  readonly plain: PlainMetrics = new PlainMetrics(this.#registry)
  readonly #opened = this.#registry.counter('uploads_opened_total', 'Uploads that began here.')
  readonly #ended = this.#registry.counter('uploads_ended_total', 'Uploads that ended here.', {
    label: 'state',
    values: GROUP_ENDS,
  })
  readonly #sessionsOpened = this.#registry.counter('sessions_opened_total', 'Sessions that began here.')
  readonly #sessionsEnded = this.#registry.counter('sessions_ended_total', 'Sessions that ended here.', {
    label: 'state',
    values: SESSION_ENDS,
  })
  readonly #received = this.#registry.counter('received_bytes_total', 'Bytes of sessions that were taken.')
  readonly #pulled = this.#registry.counter('pulled_bytes_total', 'Verified bytes fetched from peers.')
  readonly #saved = this.#registry.counter('dedup_saved_bytes_total', 'Bytes that clients need not send: held already.')
  readonly #shared = this.#registry.counter(
    'dedup_shared_bytes_total',
    'Bytes of files that share the storage of an equal one.',
  )
  readonly #mismatches = this.#registry.counter(
    'digest_mismatches_total',
    'Bytes that were not what was said of them: blocks, copies of them, those of peers, bodies, whole files.',
    { label: 'of', values: MISMATCHES },
  )
  readonly #refusals = this.#registry.counter('refusals_total', 'Requests that were refused.', {
    label: 'code',
    values: REFUSAL_CODES,
  })
  readonly #lockWaits = this.#registry.histogram(
    'lock_wait_seconds',
    'Waits for a plain upload held by another.',
    DISK_BUCKETS,
  )
  readonly #writes = this.#registry.histogram('write_seconds', 'Writing one piece of a body.', DISK_BUCKETS)
  readonly #records = this.#registry.histogram(
    'record_seconds',
    'Recording before bytes are acknowledged.',
    DISK_BUCKETS,
  )
  readonly #requests = this.#registry.histogram(
    'request_seconds',
    'From the headers of a request to those of its answer.',
    REQUEST_BUCKETS,
    { label: 'kind', values: REQUEST_KINDS },
  )
  readonly #streams = this.#registry.gauge('event_streams', 'Event streams that are open.')
  readonly #bodies = this.#registry.gauge('bodies', 'Bodies of sessions that are being received.')

  constructor(groups: KnownGroups, load: { readonly load: number }, peers: KnownPeers = { states: () => [] }) {
    this.#registry.gaugeOf('load', 'How busy this server is, 0 to 1, smoothed.', () => load.load)
    this.#registry.gaugesOf('peers', 'Other servers, as this one finds them.', {
      states: PEER_STATES,
      count: () => countBy(peers.states(), (state) => state),
    })
    this.#registry.gaugesOf('uploads', 'Uploads that are known, with those that have ended and are remembered.', {
      states: GROUP_STATES,
      count: () => countBy(groups.all(), (group) => group.state),
    })
    this.#registry.gaugesOf('sessions', 'Sessions of uploads that have not ended.', {
      states: SESSION_STATES,
      count: () => countBy(liveStatuses(groups.all()), (status) => status),
    })
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** All of it, in Prometheus' text format. */
  text(): Promise<string> {
    return this.#registry.text()
  }

  hear(notice: Notice): void {
    switch (notice.kind) {
      case 'groupOpened':
        return this.#opened.inc()
      case 'groupEnded':
        return this.#ended.inc({ state: notice.state })
      case 'sessionOpened':
        return this.#sessionsOpened.inc()
      case 'sessionCompleted':
        return this.#sessionsEnded.inc({ state: 'completed' })
      case 'sessionEnded':
        return this.#sessionsEnded.inc({ state: notice.session.ended ?? 'terminated' })
      case 'verified':
        if (notice.where === 'pulled') this.#pulled.inc(bytesOf(notice.group, notice.blocks))
        return
      case 'bad':
        if (notice.why === 'digest') this.#mismatches.inc({ of: 'claim' }, notice.blocks.length)
        return
      case 'mismatch':
        return this.#mismatches.inc({ of: notice.of })
      case 'reused':
        return this.#saved.inc(bytesOf(notice.group, notice.blocks))
      case 'bytes':
      case 'offset':
        return
    }
  }

  /** A file of that many bytes is another name of an equal one. */
  shared(bytes: number): void {
    this.#shared.inc(bytes)
  }

  refused(code: RefusalCode): void {
    this.#refusals.inc({ code })
    if (code === 'checksum-mismatch') this.#mismatches.inc({ of: 'checksum' })
    if (code === 'root-mismatch') this.#mismatches.inc({ of: 'root' })
  }

  waitedForLock(seconds: number): void {
    this.#lockWaits.observe(seconds)
  }

  wrote(bytes: number, seconds: number): void {
    this.#received.inc(bytes)
    this.#writes.observe(seconds)
  }

  recorded(seconds: number): void {
    this.#records.observe(seconds)
  }

  answered(kind: RequestKind, seconds: number): void {
    this.#requests.observe({ kind }, seconds)
  }

  /** Returns what is called at its end. */
  streamOpened(): () => void {
    return opened(this.#streams)
  }

  /** Returns what is called at its end. */
  bodyOpened(): () => void {
    return opened(this.#bodies)
  }
}

function countBy<Item>(items: Iterable<Item>, keyOf: (item: Item) => string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1)
  return counts
}

function* liveStatuses(groups: Iterable<Group>): Generator<string> {
  for (const group of groups) {
    if (group.hasEnded) continue
    for (const session of group.sessions.values()) yield group.statuses.get(session.id)?.status ?? 'inProgress'
  }
}
