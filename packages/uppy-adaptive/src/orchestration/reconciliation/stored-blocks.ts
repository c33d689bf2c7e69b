import type { GroupState, StatusAnswer } from 'tus-reconcile-protocol'
import { intersectRanges, subtractRanges } from 'tus-reconcile-protocol'
import type { StoreId } from '../../partitioning/partition-plan.js'
import type { Claims } from '../blocks/claims.js'
import { backoffMs } from '../failure-rules.js'
import { isPassing } from '../failure-table.js'
import { OperationError } from '../ports.js'
import type { Operations } from '../servers/operations.js'
import { leaveOutExpired } from '../servers/store-verdicts.js'
import type { Terminations } from '../sessions/terminations.js'
import { pause } from '../timing.js'
import type { TransferContext } from '../transfer-context.js'
import { UploadError } from '../upload-error.js'

/** For so long a home that does not say what it holds is asked again, before bytes are sent that it may have (guess). */
const HOME_PATIENCE_MS = 10_000

interface Parts {
  readonly operations: Operations
  readonly claims: Claims
  readonly terminations: Terminations
}

/** Asks every store what it holds of the group, so that no acknowledged block is sent again; ends the sessions left open. */
export async function adoptStored(context: TransferContext, parts: Parts): Promise<void> {
  const { directory, clock, place } = context
  const asked = directory.stores().map(async (store) => {
    const status = await (store.id === place.store ? askHome(context, parts) : askMirror(context, parts, store.id))
    if (status === 'unknown') return
    if (status === 'silent') return directory.suspect(store.id, 'did not say what it holds', clock.now())
    if (status.state === 'expired') return leaveOutExpired(context, store.id)
    adopt(context, parts, { store: store.id, status })
  })
  await Promise.all(asked)
}

type Heard = StatusAnswer | 'unknown' | 'silent'

/** A store that knows nothing of the group, or cannot be asked now, holds nothing that we can count on. */
async function askMirror(context: TransferContext, { operations }: Parts, store: StoreId): Promise<Heard> {
  try {
    return await operations.ask(store, { op: 'status' }, context.signal)
  } catch (error) {
    return error instanceof OperationError && !isPassing(error) ? 'unknown' : 'silent'
  }
}

/** @throws UploadError `gone` when the home says that there is no such group any more */
async function askHome(context: TransferContext, { operations }: Parts): Promise<Heard> {
  const { place, clock, randomness, signal } = context
  const startedMs = clock.now()
  for (let fruitless = 0; !signal.aborted && clock.now() - startedMs < HOME_PATIENCE_MS; fruitless++) {
    try {
      const status = await operations.ask(place.store, { op: 'status' }, signal)
      refuseEnded(status.state)
      return status
    } catch (error) {
      if (error instanceof UploadError) throw error
      if (error instanceof OperationError && !isPassing(error)) throw gone(error.message)
      await pause(clock, backoffMs({ fruitless, uniform: randomness.uniform() }), signal)
    }
  }
  return 'silent'
}

function adopt(
  { plan, randomness }: TransferContext,
  { claims, terminations }: Parts,
  { store, status }: { store: StoreId; status: StatusAnswer },
): void {
  if (status.state === 'committed') return void plan.verify([{ start: 0, end: plan.sizeBytes }])
  plan.verify(status.verified)
  plan.hold(store, status.stored)
  for (const session of status.sessions) {
    if (session.state === 'inProgress' || session.state === 'pending')
      terminations.drop({ session: session.session, store, reason: 'resumed' })
  }
  for (const range of subtractRanges(status.stored, status.verified))
    claims.adopt({ session: randomness.id(), store, range, isVerified: false })
  // the file may have changed since
  for (const range of intersectRanges(status.stored, status.verified))
    claims.adopt({ session: randomness.id(), store, range, isVerified: true })
}

function refuseEnded(state: GroupState): void {
  if (state === 'terminated' || state === 'expired') throw gone(`it is ${state}`)
}

function gone(why: string): UploadError {
  return new UploadError('gone', `the server no longer has this upload (${why}): start it again`)
}
