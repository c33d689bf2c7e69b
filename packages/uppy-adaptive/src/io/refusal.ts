import { HEADER, parseUploadLimit } from 'tus-reconcile-protocol'
import { ruleOfStatus } from '../orchestration/failure-table.js'
import type { AttemptOutcome } from '../orchestration/ports.js'
import type { AuthorizedAnswer } from './authorized-sender.js'
import { readRetryAfter } from './http.js'

/**
 * What an answer from 300 on says: the row of the table that it is, with its figures. What another offset and an end
 * (`mismatch`, `over`) come to, whoever asked says.
 */
export function readRefusal(
  answer: AuthorizedAnswer,
  says: { readonly mismatch: AttemptOutcome; readonly over: AttemptOutcome },
): AttemptOutcome {
  const { status } = answer
  const retryAfterMs = readRetryAfter(answer)
  const rule = ruleOfStatus(status, retryAfterMs !== undefined)
  switch (rule.kind) {
    case 'mismatch':
    case 'over':
      return says[rule.kind]
    case 'tooLarge':
      return { kind: 'tooLarge', limit: parseUploadLimit(answer.header(HEADER.limit)) }
    case 'wait':
      return { kind: 'wait', status, retryAfterMs }
    case 'full':
      return { kind: 'full' }
    case 'denied':
      return { kind: 'denied', status, message: firstLine(answer.body), isRenewed: answer.renewal === 'renewed' }
    case 'refused':
      return { kind: 'refused', status, message: firstLine(answer.body) }
    case 'cut':
      return { kind: 'cut', failure: rule.tells, cause: new Error(`the server answered ${status}`) }
  }
}

/** The tus server says so itself, rather than what stands before it (tus 1.0: Tus-Resumable is in every answer but of OPTIONS). */
export function isOwnWord(answer: Pick<AuthorizedAnswer, 'header'>): boolean {
  return answer.header('Tus-Resumable') !== undefined
}

/** A captive portal or a proxy answered: it says nothing of the upload. */
export function cutByStranger(status: number): AttemptOutcome {
  const cause = new Error(`something else than the tus server answered (${status}, without Tus-Resumable)`)
  return { kind: 'cut', fault: 'no Tus-Resumable', cause }
}

export function firstLine(body: string): string {
  return body.split('\n', 1)[0]?.slice(0, 200) ?? ''
}
