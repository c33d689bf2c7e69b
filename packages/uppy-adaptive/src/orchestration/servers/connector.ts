import type { StoreId } from '../../partitioning/partition-plan.js'
import { backoffMs, LONGEST_BACKOFF_MS } from '../failure-rules.js'
import type { KnownServers } from '../kept/known-servers.js'
import type { EventLog } from '../log/event-log.js'
import type { Capabilities, Clock, Randomness, ServerPort } from '../ports.js'
import { nameOfAddress } from '../ports.js'
import { withDeadline } from '../timing.js'
import type { WarningCode } from '../upload-error.js'
import { toError, UploadError } from '../upload-error.js'
import type { PauseGate } from '../waiting/pause-gate.js'
import type { Rests } from '../waiting/rests.js'
import type { ServerDirectory, Store } from './server-directory.js'

const PROBE_DEADLINE_MS = 5_000
/** A primary that has never answered is waited for this long: a wrong address must not look like a slow network. */
const START_PATIENCE_MS = 30_000
/** A probe and the rest after it take no longer: what is over it, the machine slept. */
const LONGEST_ROUND_MS = PROBE_DEADLINE_MS + LONGEST_BACKOFF_MS

interface ConnectorParts {
  readonly directory: ServerDirectory
  readonly log: EventLog
  readonly clock: Clock
  readonly rests: Rests
  readonly randomness: Randomness
  readonly known: KnownServers
  /** Nobody is asked while it is closed. */
  readonly gate: PauseGate
  readonly giveUpAfterMs: number
  /** A server has answered just now. */
  readonly onHeard: (store: StoreId, endpoint: string) => void
  /** The primary does not answer at first; it is tried again. */
  readonly onAway: () => void
}

/** Finds out what each address leads to, before anything of ours is sent to it: once for all uploads of a page. */
export class Connector {
  readonly #parts: ConnectorParts
  readonly #remembered = new Set<string>()

  constructor(parts: ConnectorParts) {
    this.#parts = parts
  }

  /** Whether any server was taken for what it had answered before. */
  get usedMemory(): boolean {
    return this.#remembered.size > 0
  }

  /** What was remembered of the servers is not believed any more. */
  forget(): void {
    for (const endpoint of this.#remembered) this.#parts.known.forget(endpoint)
  }

  /** @throws UploadError `not-a-tus-server`, or `unreachable` when patience ends. */
  async connectPrimary(port: ServerPort, signal: AbortSignal): Promise<Capabilities> {
    const { clock, gate, giveUpAfterMs } = this.#parts
    let waitedMs = 0
    for (let fruitless = 0; ; fruitless++) {
      let roundMs = clock.now()
      try {
        const capabilities = await gate.whileOpen(signal, (open) => {
          roundMs = clock.now()
          return this.#probe(port, open)
        })
        this.#parts.directory.admit(port, 0, capabilities, clock.now() - roundMs)
        return capabilities
      } catch (error) {
        const isOver =
          waitedMs + Math.min(clock.now() - roundMs, LONGEST_ROUND_MS) > Math.min(START_PATIENCE_MS, giveUpAfterMs)
        if (signal.aborted || isOver || isHopeless(error)) throw error
        if (fruitless === 0) {
          this.#warn(port, 'unreachable', `${toError(error).message}: trying again`)
          this.#parts.onAway()
        }
        await this.#rest(fruitless, signal)
        waitedMs += Math.min(clock.now() - roundMs, LONGEST_ROUND_MS)
      }
    }
  }

  /** Tries a mirror until it answers or the signal fires. An unusable one is a warning; the upload goes on without it. */
  async connectMirror(
    port: ServerPort,
    server: number,
    o: { signal: AbortSignal; onReady: (store: Store) => void },
  ): Promise<void> {
    const { directory, log, clock, gate } = this.#parts
    for (let fruitless = 0; !o.signal.aborted; fruitless++) {
      let startedMs = clock.now()
      try {
        const capabilities = await gate.whileOpen(o.signal, (open) => {
          startedMs = clock.now()
          return this.#probe(port, open)
        })
        const store = directory.admit(port, server, capabilities, clock.now() - startedMs)
        if (store) o.onReady(store)
        else
          this.#warn(
            port,
            'mirror-without-extension',
            `${port.endpoint} is a tus server without the reconcile extension: going on without it`,
          )
        return
      } catch (error) {
        if (o.signal.aborted) return
        if (isHopeless(error))
          return this.#warn(port, 'mirror-unusable', `${toError(error).message}: going on without it`)
        if (fruitless === 0)
          log.emit({
            type: 'warning',
            code: 'mirror-unreachable',
            message: `${toError(error).message}: going on without it meanwhile`,
            endpoint: port.endpoint,
          })
        await this.#rest(fruitless, o.signal)
      }
    }
  }

  #warn(port: ServerPort, code: WarningCode, message: string): void {
    this.#parts.log.emit({ type: 'warning', code, message, endpoint: port.endpoint })
  }

  async #probe(port: ServerPort, signal: AbortSignal): Promise<Capabilities> {
    const { known, onHeard } = this.#parts
    const name = nameOfAddress(port)
    const remembered = known.recall(name)
    if (remembered) {
      this.#remembered.add(name)
      return remembered
    }
    const capabilities = await known.ask(name, () => this.#ask(port, signal), signal)
    if (capabilities.storeId !== undefined) onHeard(capabilities.storeId, port.endpoint)
    return capabilities
  }

  async #ask(port: ServerPort, signal: AbortSignal): Promise<Capabilities> {
    const deadline = withDeadline(this.#parts.clock, PROBE_DEADLINE_MS, signal)
    try {
      return await port.probe(deadline.signal)
    } catch (error) {
      if (signal.aborted || !deadline.signal.aborted) throw error
      throw new UploadError(
        'unreachable',
        `${port.endpoint} did not answer within ${PROBE_DEADLINE_MS / 1000} s: is the server running and its address right?`,
      )
    } finally {
      deadline.done()
    }
  }

  #rest(fruitless: number, signal: AbortSignal): Promise<void> {
    return this.#parts.rests.take(
      backoffMs({ fruitless: fruitless + 1, uniform: this.#parts.randomness.uniform() }),
      signal,
    )
  }
}

/** The port says `unreachable` of all that the failure table has waited for. */
function isHopeless(error: unknown): boolean {
  return error instanceof UploadError && error.code !== 'unreachable'
}
