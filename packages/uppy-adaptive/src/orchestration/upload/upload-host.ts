import type { KnownServers } from '../kept/known-servers.js'
import type { MirrorOptions } from '../mirror-options.js'
import type {
  Clock,
  Digester,
  JournalStorage,
  Page,
  PlainPort,
  Randomness,
  ServerPort,
  Source,
  Turns,
} from '../ports.js'
import type { SessionLimits } from '../sessions/session-share.js'

/** What the engine needs of the world. */
export interface UploadHost {
  readonly clock: Clock
  readonly randomness: Randomness
  readonly digester: Digester
  /** Of all uploads of this page or process together. */
  readonly sessions: SessionLimits
  readonly journal: JournalStorage | undefined
  /** Where what predictions learned is kept from one upload to the next. */
  readonly memory: JournalStorage | undefined
  readonly page: Page
  /** Pages that may upload the same file; undefined: there are none to know of. */
  readonly turns: Turns | undefined
  /** Shows an error that is not the upload's, such as a listener's. */
  reportError(error: unknown): void
  openSource(): Promise<Source>
  /** What the servers of this page or process are. */
  readonly servers: KnownServers
  /** @throws UploadError `bad-option` where there is no such way */
  createPort(address: MirrorOptions, server: number): ServerPort
  /** The primary, as a server without our extension. */
  readonly plain: PlainPort
}
