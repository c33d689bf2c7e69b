import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Group } from '../groups/group.js'
import type { Notice } from '../groups/notice.js'
import type { RefusalCode } from '../groups/refusal.js'
import { bytesOf } from '../groups/verification.js'

/** What a request is for: the only values of the label `kind`. */
const REQUEST_KINDS = ['create', 'append', 'head', 'delete', 'options', 'get', 'operation', 'peer'] as const
export type RequestKind = (typeof REQUEST_KINDS)[number]

const GROUP_STATES = ['open', 'committing', 'committed', 'terminated', 'expired'] as const
const SESSION_STATES = ['inProgress', 'completed', 'superseded', 'failed'] as const
const MISMATCHES = ['claim', 'copy', 'peer', 'checksum', 'root'] as const
/** Seconds: from an answer out of memory to a body of 120 s. */
const REQUEST_BUCKETS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 150]
/** Seconds: from the page cache to a disk in trouble. */
const DISK_BUCKETS = [0.0005, 0.002, 0.01, 0.05, 0.2, 1, 5]

/** The groups, looked over at each scrape rather than counted. */
interface KnownGroups {
  all(): Iterable<Group>
}

/** The extension's figures in a registry of their own. Labels have fixed values only: no id, no name, no address. */
export class Metrics {
  readonly #registry = new Registry()
  readonly #opened = this.#counter('uploads_opened_total', 'Uploads that began here.')
  readonly #ended = this.#counter('uploads_ended_total', 'Uploads that ended here.', 'state')
  readonly #sessionsOpened = this.#counter('sessions_opened_total', 'Sessions that began here.')
  readonly #sessionsEnded = this.#counter('sessions_ended_total', 'Sessions that ended here.', 'state')
  readonly #received = this.#counter('received_bytes_total', 'Bytes of sessions that were taken.')
  readonly #pulled = this.#counter('pulled_bytes_total', 'Verified bytes fetched from peers.')
  readonly #saved = this.#counter('dedup_saved_bytes_total', 'Bytes that clients need not send: held already.')
  readonly #shared = this.#counter('dedup_shared_bytes_total', 'Bytes of files that share the storage of an equal one.')
  readonly #mismatches = this.#counter(
    'digest_mismatches_total',
    'Bytes that were not what was said of them: blocks, copies of them, those of peers, bodies, whole files.',
    'of',
  )
  readonly #refusals = this.#counter('refusals_total', 'Requests that were refused.', 'code')
  readonly #lockWaits = this.#histogram('lock_wait_seconds', 'Waits for a plain upload held by another.', DISK_BUCKETS)
  readonly #writes = this.#histogram('write_seconds', 'Writing one piece of a body.', DISK_BUCKETS)
  readonly #records = this.#histogram('record_seconds', 'Recording before bytes are acknowledged.', DISK_BUCKETS)
  readonly #requests = new Histogram({
    name: 'tus_reconcile_request_seconds',
    help: 'From the headers of a request to those of its answer.',
    labelNames: ['kind'],
    buckets: REQUEST_BUCKETS,
    registers: [this.#registry],
  })
  readonly #streams = this.#gauge('event_streams', 'Event streams that are open.')
  readonly #bodies = this.#gauge('bodies', 'Bodies of sessions that are being received.')

  constructor(groups: KnownGroups, load: { readonly load: number }) {
    this.#gaugeOf('load', 'How busy this server is, 0 to 1, smoothed.', () => load.load)
    this.#gaugesOf('uploads', 'Uploads that are known, with those that have ended and are remembered.', {
      states: GROUP_STATES,
      count: () => countBy(groups.all(), (group) => group.state),
    })
    this.#gaugesOf('sessions', 'Sessions of uploads that have not ended.', {
      states: SESSION_STATES,
      count: () => countBy(liveStatuses(groups.all()), (status) => status),
    })
    for (const state of ['committed', 'terminated', 'expired']) this.#ended.inc({ state }, 0)
    for (const state of ['completed', 'superseded', 'terminated', 'expired']) this.#sessionsEnded.inc({ state }, 0)
    for (const of of MISMATCHES) this.#mismatches.inc({ of }, 0)
    for (const kind of REQUEST_KINDS) this.#requests.zero({ kind })
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** All of it, in Prometheus' text format. */
  text(): Promise<string> {
    return this.#registry.metrics()
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

  #counter(name: string, help: string, label?: string): Counter<string> {
    const labelNames = label === undefined ? [] : [label]
    return new Counter({ name: `tus_reconcile_${name}`, help, labelNames, registers: [this.#registry] })
  }

  #gauge(name: string, help: string): Gauge<string> {
    return new Gauge({ name: `tus_reconcile_${name}`, help, registers: [this.#registry] })
  }

  #histogram(name: string, help: string, buckets: number[]): Histogram<string> {
    return new Histogram({ name: `tus_reconcile_${name}`, help, buckets, registers: [this.#registry] })
  }

  #gaugeOf(name: string, help: string, value: () => number): void {
    new Gauge({
      name: `tus_reconcile_${name}`,
      help,
      registers: [this.#registry],
      collect() {
        this.set(value())
      },
    })
  }

  #gaugesOf(
    name: string,
    help: string,
    of: { readonly states: readonly string[]; readonly count: () => ReadonlyMap<string, number> },
  ): void {
    new Gauge({
      name: `tus_reconcile_${name}`,
      help,
      labelNames: ['state'],
      registers: [this.#registry],
      collect() {
        const counts = of.count()
        for (const state of of.states) this.set({ state }, counts.get(state) ?? 0)
      },
    })
  }
}

function opened(gauge: Gauge<string>): () => void {
  gauge.inc()
  let isOpen = true
  return () => {
    if (isOpen) gauge.dec()
    isOpen = false
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
