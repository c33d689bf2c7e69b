import type { UploadLimit } from 'tus-reconcile-protocol'
import type { FailureKind } from 'upload-predictor'
import { ruleOfFault, ruleOfStatus } from './failure-table.js'
import type { AttemptOutcome } from './ports.js'

/** How a session's run ended, for those who planned it. */
export type SessionEnd =
  | { readonly kind: 'sent' }
  | { readonly kind: 'over'; readonly state: string }
  | {
      readonly kind: 'failed'
      readonly cause: string
      readonly code: 'network' | 'full' | 'refused'
      /** What it says of the server. */
      readonly failure: FailureKind
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
export const LONGEST_BACKOFF_MS = 10_000

/** One rule per way an attempt can end; failure-table.ts says which statuses and faults are which. */
export function decideNextStep(outcome: AttemptOutcome, context: RuleContext): NextStep {
  switch (outcome.kind) {
    case 'accepted':
      return { kind: 'goOn' }
    case 'aborted':
      return { kind: 'look' }
    case 'mismatch':
      // 409: the offset is not what we thought, nothing changed; without an offset in the answer, ask
      if (outcome.offset !== undefined && context.fruitless < MAX_MISMATCHES) return { kind: 'goOn' }
      return retry(outcome, outcome.offset === undefined ? '409 without an offset' : '409 again and again', context)
    case 'over':
      return { kind: 'end', end: { kind: 'over', state: outcome.state } }
    case 'tooLarge':
      if (outcome.limit.maxSize !== undefined)
        return fail(outcome, {
          cause: `413: a file has at most ${outcome.limit.maxSize} bytes there`,
          code: 'refused',
          status: 413,
        })
      return { kind: 'shrink', limit: outcome.limit }
    case 'full':
      return fail(outcome, { cause: '507: the server has no room', code: 'full', status: 507 })
    case 'denied':
      return outcome.isRenewed ? { kind: 'look' } : refuse(outcome)
    case 'refused':
      return refuse(outcome)
    case 'wait': {
      if (context.hasAlternative && context.fruitless >= PATIENCE_WITH_ALTERNATIVE)
        return fail(outcome, { cause: `${outcome.status}`, code: 'network' })
      const delayMs = Math.min(outcome.retryAfterMs ?? backoffMs(context), LONGEST_RETRY_AFTER_MS)
      return { kind: 'wait', delayMs, next: 'look', cause: `${outcome.status}` }
    }
    case 'cut':
      return retry(outcome, outcome.cause.message, context)
  }
}

/** What an attempt that brought nothing says of its server: METHODS, Risk (failure history). */
export function failureOf(outcome: AttemptOutcome): FailureKind {
  switch (outcome.kind) {
    case 'cut':
      return outcome.failure ?? ruleOfFault(outcome.fault ?? 'reset').tells
    case 'wait':
    case 'over':
    case 'denied':
    case 'refused':
      return failureOfStatus(outcome)
    case 'full':
      return ruleOfStatus(507).tells
    case 'mismatch':
      return ruleOfStatus(409).tells
    case 'tooLarge':
      return ruleOfStatus(413).tells
    case 'accepted':
    case 'aborted':
      return 'connection'
  }
}

/** What a refusal of the server says of it. */
export function failureOfStatus(answer: { status: number; retryAfterMs?: number | undefined }): FailureKind {
  return ruleOfStatus(answer.status, answer.retryAfterMs !== undefined).tells
}

function refuse(outcome: Extract<AttemptOutcome, { kind: 'denied' | 'refused' }>): NextStep {
  const { status, message } = outcome
  return fail(outcome, { cause: `${status}: ${message}`, code: 'refused', status })
}

function retry(outcome: AttemptOutcome, cause: string, context: RuleContext): NextStep {
  if (context.hasAlternative && context.fruitless >= PATIENCE_WITH_ALTERNATIVE)
    return fail(outcome, { cause, code: 'network' })
  // the first look costs nothing and tells a broken connection from a broken server
  const wasReached =
    outcome.kind !== 'cut' || outcome.fault === undefined || ruleOfFault(outcome.fault).arrived !== 'no'
  if (context.fruitless === 0 && wasReached) return { kind: 'look' }
  return { kind: 'wait', delayMs: backoffMs(context), next: 'look', cause }
}

function fail(
  outcome: AttemptOutcome,
  end: Omit<Extract<SessionEnd, { kind: 'failed' }>, 'kind' | 'failure'>,
): NextStep {
  return { kind: 'end', end: { kind: 'failed', failure: failureOf(outcome), ...end } }
}

/** Exponential, jittered over its upper half, so that clients of a restarted server do not return together. */
export function backoffMs(context: Pick<RuleContext, 'fruitless' | 'uniform'>): number {
  const longest = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(context.fruitless, 10))
  return longest * (0.5 + context.uniform / 2)
}
