import type { LoggedEvent } from '../../packages/uppy-adaptive/src/orchestration/log/event-log.js'
import type { MemoryGroup } from '../../packages/uppy-adaptive/src/testing/memory-group.js'
import type { MemoryServer } from '../../packages/uppy-adaptive/src/testing/memory-server.js'
import type { MemorySession } from '../../packages/uppy-adaptive/src/testing/memory-session.js'
import type { Client } from './client.js'
import type { Coverage } from './coverage.js'

const COUNTED = new Set<LoggedEvent['type']>([
  'split',
  'takeOver',
  'copy',
  'cut',
  'localPause',
  'resent',
  'relayed',
  'bad',
])

/** Warnings that say that a store is not used any more. */
const LEAVING_OUT = new Set(['mirror-unusable', 'mirror-refused', 'mirror-expired', 'server-full'])
const TERMINAL = new Set(['completed', 'failed', 'superseded'])

/** Counts every change of state that is seen, of clients' sessions, of stores as clients see them, of servers' groups and sessions. */
export class StateCoverage {
  readonly #coverage: Coverage
  readonly #statuses = new WeakMap<Client, Map<string, string>>()
  readonly #groups = new WeakMap<MemoryGroup, string>()
  readonly #sessions = new WeakMap<MemorySession, string>()

  readonly #fail: (what: string) => void

  constructor(coverage: Coverage, fail: (what: string) => void) {
    this.#coverage = coverage
    this.#fail = fail
  }

  onEvent(client: Client, event: LoggedEvent): void {
    if (event.type === 'server') this.#coverage.count(`store ${event.state}`)
    else if (event.type === 'warning') this.#onWarning(event.code)
    else if (event.type === 'concurrency') this.#coverage.count(`concurrency ${event.kind}`)
    else if (event.type === 'reconnect') this.#coverage.count(`remedy ${event.remedy}`)
    else if (event.type === 'withheld') this.#coverage.count(`withheld ${event.code}`)
    else if (event.type === 'error') this.#coverage.count(`outcome ${event.code}`)
    else if (COUNTED.has(event.type)) this.#coverage.count(`event ${event.type}`)
    if (event.type !== 'sample' && event.type !== 'progress' && event.type !== 'acked') this.#compare(client)
  }

  #onWarning(code: string): void {
    this.#coverage.count(`warning ${code}`)
    if (LEAVING_OUT.has(code)) this.#coverage.count('store left out')
  }

  onServer(server: MemoryServer): void {
    for (const group of server.groups.values()) {
      const before = this.#groups.get(group)
      if (before !== group.state) {
        if (before !== undefined || group.state !== 'open')
          this.#coverage.count(`group ${before ?? 'open'} -> ${group.state}`)
        this.#groups.set(group, group.state)
      }
      for (const session of group.sessions.values()) this.#compareSession(session)
    }
  }

  #compareSession(session: MemorySession): void {
    const now =
      session.ended === undefined || session.ended === 'superseded'
        ? session.status
        : `${session.status} (${session.ended})`
    const before = this.#sessions.get(session)
    if (before === now) return
    this.#sessions.set(session, now)
    if (before !== undefined) this.#coverage.count(`server's session ${before} -> ${now}`)
  }

  #compare(client: Client): void {
    const known = this.#statuses.get(client) ?? new Map<string, string>()
    this.#statuses.set(client, known)
    for (const { uploadID, status } of client.engine.uploads) {
      const before = known.get(uploadID)
      if (before === status) continue
      known.set(uploadID, status)
      if (TERMINAL.has(before ?? '')) this.#fail(`${client.name}: session ${uploadID} went from ${before} to ${status}`)
      this.#coverage.count(`session ${before ?? 'none'} -> ${status}`)
    }
  }
}
