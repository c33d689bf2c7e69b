import type { LastMile } from './last-mile.js'
import type { RateSchedule } from './rate-schedule.js'
import type { Discipline } from './shaper.js'
import type { TlsOptions } from './tls-front.js'

/** Everything the link can be told while it runs; what is left out stays. */
export type LinkSettings = {
  /** Bytes per second towards the server, or steps in ms since the link's start. Default: no limit. */
  readonly upBytesPerSecond?: number | RateSchedule
  /** Bytes per second towards the client, or steps in ms since the link's start. Default: no limit. */
  readonly downBytesPerSecond?: number | RateSchedule
  /** One way, ms, each way. Default 0. What travels already keeps the delay that it left with. */
  readonly delayMs?: number
  /** What one connection gets at most, each way: the effect of loss on one TCP flow. Default: no limit. */
  readonly perConnectionBytesPerSecond?: number
}

export type LinkOptions = LinkSettings & {
  /** For messages. */
  readonly name: string
  /** The server behind the link. */
  readonly target: { readonly host: string; readonly port: number }
  /** The port to listen on, on 127.0.0.1. Default 0: a free one. */
  readonly port?: number
  /** A bottleneck shared with other links. */
  readonly lastMile?: LastMile
  /** Each chunk is delayed by up to so much more, evenly distributed, in order. Default 0. */
  readonly jitterMs?: number
  /** Seeds the jitter. Default: the name. */
  readonly seed?: number | string
  /** How much the link queues per direction before it stops reading. Default 32 768, at most 262 144. */
  readonly queueBytes?: number
  /** Round trips that a new connection waits before its first byte may leave: TCP's handshake. Default 1. */
  readonly connectRoundTrips?: number
  /** Whose bytes leave next, where no last mile is shared. Default `fair`: connections take turns, so that nothing waits for long. */
  readonly discipline?: Discipline
  /** Clients speak TLS, and HTTP/2 or HTTP/1.1 in it, to a proxy between the link and the server. Default: no proxy. */
  readonly tls?: TlsOptions
}

export type ResolvedLinkOptions = Required<Omit<LinkOptions, 'lastMile' | 'tls'>> & {
  readonly lastMile: LastMile | undefined
  readonly tls: TlsOptions | undefined
}

/** The most a link may queue of its own (the brief's bound). */
const mostQueueBytes = 262_144

/** @throws RangeError that names the link and quotes the value */
export function resolveLinkOptions(options: LinkOptions): ResolvedLinkOptions {
  const resolved: ResolvedLinkOptions = {
    port: 0,
    upBytesPerSecond: Number.POSITIVE_INFINITY,
    downBytesPerSecond: Number.POSITIVE_INFINITY,
    delayMs: 0,
    perConnectionBytesPerSecond: Number.POSITIVE_INFINITY,
    jitterMs: 0,
    seed: options.name,
    // 0.25 s at 1 Mbit/s, 2.6 ms at 100; measured: 64 KiB lets the sender's kernel buffer grow by another 0.1 MB
    queueBytes: 32_768,
    connectRoundTrips: 1,
    discipline: 'fair',
    ...options,
    lastMile: options.lastMile,
    tls: options.tls,
  }
  checkRange(resolved, 'delayMs', { most: 3_600_000 })
  checkRange(resolved, 'jitterMs', { most: 3_600_000 })
  checkRange(resolved, 'connectRoundTrips', { most: 10 })
  checkRange(resolved, 'queueBytes', { most: mostQueueBytes })
  return resolved
}

/** @throws RangeError that names the link and quotes the value */
export function checkRange<Name extends string>(
  holder: { readonly name: string } & Readonly<Record<Name, number>>,
  key: Name,
  { most }: { readonly most: number },
): void {
  const value = holder[key]
  if (value >= 0 && value <= most) return
  throw new RangeError(`link ${holder.name}: ${key} must be from 0 to ${most}, not ${value}`)
}
