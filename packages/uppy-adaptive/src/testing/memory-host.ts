import { KnownServers } from '../orchestration/kept/known-servers.js'
import type {
  Clock,
  ConnectionLimits,
  JournalStorage,
  Page,
  PlainPort,
  Randomness,
  ServerPort,
  Source,
  Turns,
} from '../orchestration/ports.js'
import { SessionPool } from '../orchestration/sessions/session-pool.js'
import type { UploadHost } from '../orchestration/upload/upload-host.js'
import { sha256 } from './known-bytes.js'

const NODE: Page = { watch: () => () => {}, isSavingData: () => false }

/** As Node: as many connections as are wanted, each request with one of its own. */
export const unlimited: ConnectionLimits = {
  most: () => Number.POSITIVE_INFINITY,
  areMultiplexed: () => false,
}

/** A client's machine, in memory. `ports`: of the primary, then of the mirrors as the options name them. */
export function createMemoryHost(o: {
  readonly clock: Clock
  readonly randomness: Randomness
  readonly journal: JournalStorage | undefined
  readonly memory?: JournalStorage | undefined
  readonly page?: Page
  readonly turns?: Turns | undefined
  readonly servers?: KnownServers
  readonly ports: readonly ServerPort[]
  /** Shared with other uploads (default its own). */
  readonly pool?: SessionPool
  /** The primary, where it is a plain server (default: there is none). */
  readonly plain?: PlainPort
  readonly openSource: () => Promise<Source>
}): UploadHost {
  const { clock, randomness, journal, memory, page = NODE, turns, ports, openSource } = o
  return {
    ...{ clock, randomness, journal, memory, page, turns, openSource, digester: sha256 },
    servers: o.servers ?? new KnownServers(clock),
    sessions: { pool: o.pool ?? new SessionPool(), connections: unlimited },
    reportError: (error) => {
      throw error
    },
    createPort: ({ endpoint }, server) => {
      const port = ports[server]
      if (!port) throw new Error(`nothing is at ${endpoint}`)
      return port
    },
    plain: o.plain ?? {
      endpoint: ports[0]?.endpoint ?? '',
      run: () => Promise.reject(new Error('no plain server is here')),
      terminate: async () => {},
    },
  }
}
