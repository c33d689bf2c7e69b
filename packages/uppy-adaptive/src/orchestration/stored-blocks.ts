import type { GroupState } from 'tus-reconcile-protocol'
import { subtractRanges } from 'tus-reconcile-protocol'
import type { Claims } from './claims.js'
import type { Operations } from './operations.js'
import { OperationError } from './ports.js'
import type { Terminations } from './terminations.js'
import type { TransferContext } from './transfer-context.js'
import { UploadError } from './upload-error.js'

/** Asks every store what it holds of the group, so that no acknowledged block is sent again; ends the sessions left open. */
export async function adoptStored(
  context: TransferContext,
  o: { operations: Operations; claims: Claims; terminations: Terminations },
): Promise<void> {
  const { directory, plan, signal } = context
  await Promise.all(
    directory.stores().map(async (store) => {
      try {
        const status = await o.operations.ask(store.id, { op: 'status' }, signal)
        if (store.id === context.homeId) refuseEnded(status.state)
        if (status.state === 'committed') return void plan.verify([{ start: 0, end: plan.sizeBytes }])
        plan.verify(status.verified)
        plan.hold(store.id, ...status.stored)
        for (const session of status.sessions) {
          if (session.state === 'inProgress' || session.state === 'pending')
            o.terminations.drop({ session: session.session, store: store.id, reason: 'resumed' })
        }
        for (const range of subtractRanges(status.stored, status.verified)) {
          o.claims.adopt({ session: context.randomness.id(), store: store.id, range })
        }
      } catch (error) {
        if (error instanceof UploadError) throw error
        if (store.id === context.homeId && error instanceof OperationError) throw gone(error.message)
        // a store that knows nothing of the group, or cannot be asked now, holds nothing that we can count on
        if (!(error instanceof OperationError))
          directory.suspect(store.id, 'did not say what it holds', context.clock.now())
      }
    }),
  )
}

function refuseEnded(state: GroupState): void {
  if (state === 'terminated' || state === 'expired') throw gone(`it is ${state}`)
}

function gone(why: string): UploadError {
  return new UploadError('gone', `the server no longer has this upload (${why}): start it again`)
}
