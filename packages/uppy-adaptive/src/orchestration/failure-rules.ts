import type { UploadLimit } from 'tus-reconcile-protocol'
import type { AttemptOutcome } from './ports.js'

/** How a session's run ended, for those who planned it. */
export type SessionEnd =
  | { readonly kind: 'sent' }
  | { readonly kind: 'over'; readonly state: string }
  | {
      readonly kind: 'failed'
      readonly cause: string
      readonly code: 'network' | 'full' | 'refused'
      readonly status?: number
    }
  | { readonly kind: 'stopped' }

/** What a session does after an attempt. */
export type NextStep =
  | { readonly kind: 'goOn' }
  /** Ask for the offset first: nobody knows what arrived. */
  | { readonly kind: 'look' }
  | { readonly kind: 'wait'; readonly delayMs: number; readonly next: 'goOn' | 'look'; readonly cause: string }
  | { readonly kind: 'shrink'; readonly limit: UploadLimit }
  | { readonly kind: 'end'; readonly end: SessionEnd }

export interface RuleContext {
  /** Attempts in a row that brought nothing. */
  readonly fruitless: number
  /** Another store could take the rest. */
  readonly hasAlternative: boolean
  readonly uniform: number
}

/** Failures in a row after which the rest moves to another store, where there is one. */
const PATIENCE_WITH_ALTERNATIVE = 2
/** An offset that is wrong twice running is not corrected by trying at once. */
const MAX_MISMATCHES = 2
/** A server may ask for patience, not park an upload for good. */
const LONGEST_RETRY_AFTER_MS = 60_000
const FIRST_BACKOFF_MS = 250
const LONGEST_BACKOFF_MS = 10_000

/** One rule per way an attempt can end (PROTOCOL, Statuses). */
export function decideNextStep(outcome: AttemptOutcome, context: RuleContext): NextStep {
  switch (outcome.kind) {
    case 'accepted':
      return { kind: 'goOn' }
    case 'aborted':
      return { kind: 'look' }
    case 'mismatch':
      // 409: the offset is not what we thought, nothing changed; without an offset in the answer, ask
      if (outcome.offset !== undefined && context.fruitless < MAX_MISMATCHES) return { kind: 'goOn' }
      return retry(outcome.offset === undefined ? '409 without an offset' : '409 again and again', context)
    case 'over':
      return { kind: 'end', end: { kind: 'over', state: outcome.state } }
    case 'tooLarge':
      if (outcome.limit.maxSize !== undefined) return refuseSize(outcome.limit.maxSize)
      return { kind: 'shrink', limit: outcome.limit }
    case 'full':
      return { kind: 'end', end: { kind: 'failed', cause: '507: the server has no room', code: 'full', status: 507 } }
    case 'refused':
      return {
        kind: 'end',
        end: {
          kind: 'failed',
          cause: `${outcome.status}: ${outcome.message}`,
          code: 'refused',
          status: outcome.status,
        },
      }
    case 'wait': {
      if (context.hasAlternative && context.fruitless >= PATIENCE_WITH_ALTERNATIVE)
        return giveToOthers(`${outcome.status}`)
      const delayMs = Math.min(outcome.retryAfterMs ?? backoffMs(context), LONGEST_RETRY_AFTER_MS)
      return { kind: 'wait', delayMs, next: 'look', cause: `${outcome.status}` }
    }
    case 'cut':
      return retry(outcome.cause.message, context)
  }
}

function refuseSize(maxBytes: number): NextStep {
  const cause = `413: a file has at most ${maxBytes} bytes there`
  return { kind: 'end', end: { kind: 'failed', cause, code: 'refused', status: 413 } }
}

function retry(cause: string, context: RuleContext): NextStep {
  if (context.hasAlternative && context.fruitless >= PATIENCE_WITH_ALTERNATIVE) return giveToOthers(cause)
  // the first look costs nothing and tells a broken connection from a broken server
  if (context.fruitless === 0) return { kind: 'look' }
  return { kind: 'wait', delayMs: backoffMs(context), next: 'look', cause }
}

function giveToOthers(cause: string): NextStep {
  return { kind: 'end', end: { kind: 'failed', cause, code: 'network' } }
}

/** Exponential, jittered over its upper half, so that clients of a restarted server do not return together. */
export function backoffMs(context: Pick<RuleContext, 'fruitless' | 'uniform'>): number {
  const longest = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(context.fruitless, 10))
  return longest * (0.5 + context.uniform / 2)
}
