import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import type { LoggedEvent } from 'uppy-adaptive/upload'

/** One chart's data: seconds, then one list per server with gaps as null. */
export type Series = [number[], ...(number | null)[][]]

const BUCKET_SECONDS = 0.5
const MIB = 1024 ** 2
const BLOCK_MIB = BLOCK_SIZE / MIB

/** What the three charts show, gathered event by event. */
export class SeriesBook {
  readonly #servers: number
  readonly #ackedBytes: number[][]
  readonly #offsets = new Map<string, number>()
  readonly #sizes: { seconds: number; server: number; mib: number }[] = []
  readonly #risks: { seconds: number; byServer: (number | null)[] }[] = []
  #seconds = 0

  constructor(servers: number) {
    this.#servers = servers
    this.#ackedBytes = Array.from({ length: servers }, () => [])
  }

  add(event: LoggedEvent): void {
    this.#seconds = Math.max(this.#seconds, event.elapsedMs / 1000)
    const seconds = event.elapsedMs / 1000
    if (event.type === 'session') {
      this.#offsets.set(event.session, event.start)
      if (event.kind !== 'copy')
        this.#sizes.push({ seconds, server: event.server, mib: (event.end - event.start) / MIB })
    } else if (event.type === 'acked') this.#acknowledge(event.session, event.offset, { server: event.server, seconds })
    else if (event.type === 'sample') this.#sample(seconds, event.sessions)
  }

  /** Mbit/s of each server over the last second, every half one. */
  goodput(): Series {
    const buckets = Math.max(1, Math.floor(this.#seconds / BUCKET_SECONDS))
    const seconds = Array.from({ length: buckets }, (_, index) => (index + 1) * BUCKET_SECONDS)
    const rows = this.#ackedBytes.map((bytes) =>
      seconds.map((_, index) => {
        const recent = (bytes[index] ?? 0) + (bytes[index - 1] ?? 0)
        return (recent * 8) / 1e6 / (BUCKET_SECONDS * (index === 0 ? 1 : 2))
      }),
    )
    return [seconds, ...rows]
  }

  /** A rest smaller than a block counts as one: the axis begins there. */
  sizes(): Series {
    return this.#table(
      this.#sizes.map(({ seconds, server, mib }) => ({ seconds, server, value: Math.max(mib, BLOCK_MIB) })),
    )
  }

  risks(): Series {
    const rows = Array.from({ length: this.#servers }, (_, server) =>
      this.#risks.map(({ byServer }) => byServer[server] ?? null),
    )
    return [this.#risks.map(({ seconds }) => seconds), ...rows]
  }

  #acknowledge(session: string, offset: number, at: { server: number; seconds: number }): void {
    const before = this.#offsets.get(session) ?? offset
    this.#offsets.set(session, offset)
    const row = this.#ackedBytes[at.server]
    const bucket = Math.floor(at.seconds / BUCKET_SECONDS)
    if (row) row[bucket] = (row[bucket] ?? 0) + Math.max(0, offset - before)
  }

  #sample(seconds: number, sessions: Extract<LoggedEvent, { type: 'sample' }>['sessions']): void {
    const byServer = Array.from({ length: this.#servers }, (_, server) => {
      const own = sessions.filter((session) => session.server === server).map((session) => session.assessment.risk)
      return own.length === 0 ? null : Math.max(...own)
    })
    this.#risks.push({ seconds, byServer })
  }

  #table(points: readonly { seconds: number; server: number; value: number }[]): Series {
    const rows = Array.from({ length: this.#servers }, (_, server) =>
      points.map((point) => (point.server === server ? point.value : null)),
    )
    return [points.map(({ seconds }) => seconds), ...rows]
  }
}
