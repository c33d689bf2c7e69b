import type { CommitAnswer, RangeSet } from 'tus-reconcile-protocol'
import { addRanges, missingRanges, subtractRanges } from 'tus-reconcile-protocol'
import { digestOfFile } from '../blocks/file-digest.js'
import { isPassing, ruleOfStatus } from '../failure-table.js'
import type { Digester } from '../ports.js'
import { OperationError } from '../ports.js'
import type { Operations } from '../servers/operations.js'
import { pause } from '../timing.js'
import type { TransferContext } from '../transfer-context.js'
import type { UploadErrorCode } from '../upload-error.js'
import { toError, UploadError } from '../upload-error.js'
import { CommitSteps } from './commit-steps.js'
import { CommitTurns } from './commit-turns.js'

export type CommitOutcome =
  | {
      readonly kind: 'committed'
      readonly url: string
      readonly root: string
      readonly pullWaitMs: number
      readonly pulledAtCommit: number
      readonly pulledEarly: number
    }
  | { readonly kind: 'incomplete'; readonly missing: RangeSet; readonly bad: RangeSet }
  | { readonly kind: 'stopped' }

/** A home that is told of its peers' blocks a moment later is asked again this soon. */
const POLL_MS = 150
/** Pulls usually end within a round trip or two of the last block; after this long the commit itself waits for them. */
const PULL_PATIENCE_MS = 3_000
const PULL_POLL_MS = 25
/** For how long blocks that we saw verified may be missing at the home before they are sent again. */
const NEWS_PATIENCE_MS = 10_000
/** The same of a home that was chosen just now: it has asked the others, and what the former one had is gone with it. */
const MOVED_PATIENCE_MS = 1_000

/**
 * Waits until the home holds every block itself, so that the commit moves none: it says so in events, and is asked when
 * they do not come. Returns the wait; the commit is asked for in any case when patience ends.
 */
async function awaitPulls(context: TransferContext, operations: Operations): Promise<number> {
  const { clock, signal, plan, place } = context
  const startedMs = clock.now()
  while (!signal.aborted && clock.now() - startedMs < PULL_PATIENCE_MS) {
    if (missingRanges(context.atHome, plan.sizeBytes).length === 0) break
    await pause(clock, PULL_POLL_MS, signal)
    try {
      const { stored } = await operations.ask(place.store, { op: 'status' }, signal)
      context.atHome = addRanges(context.atHome, ...stored)
    } catch {
      // the commit itself has more patience
      break
    }
  }
  return clock.now() - startedMs
}

/** Asks the home to make the file, through whichever server leads there, until it has or says what it lacks. */
export async function runCommit(
  context: TransferContext,
  operations: Operations,
  digester: Digester,
): Promise<CommitOutcome> {
  const { clock, log } = context
  const startedMs = clock.now()
  log.emit({ type: 'committing' })
  const outcome = await askForCommit(context, operations, digester)
  if (outcome.kind === 'committed') {
    const { url, pullWaitMs, pulledAtCommit, pulledEarly } = outcome
    const waitMs = clock.now() - startedMs
    log.emit({ type: 'committed', url, waitMs, pullWaitMs, pulledAtCommit, pulledEarly })
  }
  return outcome
}

async function askForCommit(
  context: TransferContext,
  operations: Operations,
  digester: Digester,
): Promise<CommitOutcome> {
  const { clock, signal, leaves, plan, place } = context
  const { sizeBytes } = plan
  const root = await digestOfFile(leaves, { sizeBytes, sha256: (bytes) => digester.digest(bytes), clock, signal })
  if (signal.aborted) return { kind: 'stopped' }
  const pullWaitMs = await awaitPulls(context, operations)
  const turns = new CommitTurns(context)
  const steps = new CommitSteps(context.log)
  while (!signal.aborted) {
    const store = turns.next()
    try {
      const elsewhere = store === place.home ? {} : { elsewhere: true }
      const answer = await operations.ask(store, { op: 'commit', size: plan.sizeBytes, root, ...elsewhere }, signal)
      turns.answered(store, answer)
      steps.note(answer)
      const { waitedMs } = turns
      const newsMs = place.hasMoved ? MOVED_PATIENCE_MS : NEWS_PATIENCE_MS
      const outcome = judge(answer, { root, pullWaitMs, verified: plan.verified, isNews: waitedMs < newsMs })
      if (outcome) return outcome
      if (answer.state === 'pulling' && waitedMs > NEWS_PATIENCE_MS) return await nameMissing(context, operations)
      await pause(clock, POLL_MS, signal)
    } catch (error) {
      // another store may not know the upload, or not be allowed to make its file: the home's word alone ends it
      if (store === place.store) {
        if (!turns.mayBeTold(error)) refuse(error)
        else turns.noteTellers(await askTellers(context, operations))
      }
      const failure = toError(error)
      steps.noteFailure(failure)
      await context.rests.take(turns.failed(failure), signal)
    }
    if (turns.waitedMs > turns.mostMs) throw giveUp(turns.mostMs)
  }
  return { kind: 'stopped' }
}

/**
 * Asks the other stores for the upload: one that was started anew tells the home of it only with what a question of ours
 * brings (ADR 3). Resolves to what they said, of those that have answered: whether they know it.
 */
async function askTellers({ directory, place, signal }: TransferContext, operations: Operations): Promise<boolean[]> {
  const others = directory.stores().filter(({ id, state }) => id !== place.store && state !== 'unusable')
  const questions = others.map(({ id }) =>
    operations.ask(id, { op: 'status' }, signal).then(
      () => [true],
      (error: unknown) => (error instanceof OperationError && error.status < 500 ? [false] : []),
    ),
  )
  return (await Promise.all(questions)).flat()
}

function giveUp(afterMs: number): UploadError {
  const message = `the server did not commit the file within ${afterMs / 1000} s; start the upload again to go on`
  return new UploadError('gave-up', message)
}

/** What the home does not hold itself is to be sent to it. */
async function nameMissing(context: TransferContext, operations: Operations): Promise<CommitOutcome> {
  const { stored } = await operations.ask(context.place.store, { op: 'status' }, context.signal)
  return { kind: 'incomplete', missing: missingRanges(stored, context.plan.sizeBytes), bad: [] }
}

function judge(
  answer: CommitAnswer,
  o: { root: string; pullWaitMs: number; verified: RangeSet; isNews: boolean },
): CommitOutcome | undefined {
  switch (answer.state) {
    case 'committed':
      return {
        kind: 'committed',
        root: o.root,
        pullWaitMs: o.pullWaitMs,
        url: answer.url,
        pulledAtCommit: answer.pulledAtCommit,
        pulledEarly: answer.pulledEarly,
      }
    case 'pulling':
      return undefined
    case 'incomplete': {
      const unexpected = subtractRanges(answer.missing, o.verified)
      const isNothing = answer.missing.length === 0 && answer.bad.length === 0
      const isOldNews = unexpected.length === 0 && answer.bad.length === 0 && o.isNews
      return isOldNews || isNothing ? undefined : { kind: 'incomplete', missing: answer.missing, bad: answer.bad }
    }
  }
}

function refuse(cause: unknown): void {
  if (!(cause instanceof OperationError)) return
  const { status, message: said } = cause
  const refusal = (code: UploadErrorCode, message: string) => new UploadError(code, message, { cause, status })
  // of a commit it speaks of the whole file, not of one body's bytes
  if (status === 460) throw refusal('source-changed', 'the file changed while it was uploaded: choose it again')
  if (isPassing(cause)) return
  const { kind } = ruleOfStatus(status)
  if (kind === 'over') throw refusal('gone', `the server no longer has this upload (${said}): start it again`)
  if (kind === 'full') throw refusal('server-full', `the server has no room for the file (${said}): free space there`)
  throw refusal('refused', `the server refused to commit the file: ${said}`)
}
