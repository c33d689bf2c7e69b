import { type LimitOptions, type ResolvedLimits, resolveLimits } from './limit-options.js'

/** What an operator bounds. */
export interface BoundOptions {
  /** What each client, upload and address may use at once. */
  readonly limits?: LimitOptions
  /**
   * New sessions and uploads are answered 503 while the server's load, 0 to 1 as `Reconcile-Load` tells it, is above
   * this. Default: 0.9. 1 never refuses.
   */
  readonly shedAbove?: number
  /**
   * A session's body that brings fewer than 1,024 bytes in this time is ended with 408, a plain upload's by closing the
   * connection; what arrived is kept. Milliseconds. Default: 120,000.
   */
  readonly bodyTimeoutMs?: number
  /** A JSON message that has not arrived after this time is answered 408; milliseconds. Default: 30,000. */
  readonly messageTimeoutMs?: number
  /** The longest body, bytes: what a proxy in front lets through. Default: no limit. */
  readonly maxAppendSize?: number
  /** How often expired uploads are looked for, milliseconds. Default: 60,000. */
  readonly cleanUpIntervalMs?: number
}

export interface Bounds {
  readonly limits: ResolvedLimits
  readonly shedAbove: number
  readonly bodyTimeoutMs: number
  readonly messageTimeoutMs: number
  /** `Infinity` without a limit. */
  readonly maxAppendSize: number
  readonly cleanUpIntervalMs: number
}

/** Above what a busy event loop alone amounts to: bytes or the disk must be waited for (guess). */
const SHED_ABOVE = 0.9
/** Spec: PROTOCOL, Node's own request timeout being off. */
const BODY_TIMEOUT_MS = 120_000
/** For a megabyte at the slowest (guess). */
const MESSAGE_TIMEOUT_MS = 30_000
/** Far below any expiry (guess). */
const CLEAN_UP_MS = 60_000
/** What Node's timers hold. */
const MOST_MS = 2_147_483_647

/** @throws TypeError that names the option at fault */
export function resolveBounds(options: BoundOptions): Bounds {
  const { shedAbove = SHED_ABOVE, maxAppendSize = Number.POSITIVE_INFINITY } = options
  if (!(shedAbove >= 0 && shedAbove <= 1)) throw new TypeError(`shedAbove is a load from 0 to 1, not ${shedAbove}`)
  const isSize = Number.isSafeInteger(maxAppendSize) || maxAppendSize === Number.POSITIVE_INFINITY
  if (!isSize || maxAppendSize <= 0) {
    throw new TypeError(`maxAppendSize is a whole number of bytes above 0, not ${maxAppendSize}`)
  }
  return {
    limits: resolveLimits(options.limits),
    shedAbove,
    bodyTimeoutMs: milliseconds('bodyTimeoutMs', options.bodyTimeoutMs ?? BODY_TIMEOUT_MS),
    messageTimeoutMs: milliseconds('messageTimeoutMs', options.messageTimeoutMs ?? MESSAGE_TIMEOUT_MS),
    maxAppendSize,
    cleanUpIntervalMs: milliseconds('cleanUpIntervalMs', options.cleanUpIntervalMs ?? CLEAN_UP_MS),
  }
}

function milliseconds(name: string, value: number): number {
  if (value > 0 && value <= MOST_MS) return value
  throw new TypeError(`${name} is a time above 0 in milliseconds, not ${value}`)
}
