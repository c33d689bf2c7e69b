import { backoffMs } from '../failure-rules.js'
import { isPassing } from '../failure-table.js'
import type { Randomness, ServerPort } from '../ports.js'
import { OperationError } from '../ports.js'
import type { OperationContext } from '../servers/operations.js'
import { Operations } from '../servers/operations.js'
import { pause, withDeadline } from '../timing.js'

/** A user waits for this: after some seconds the group is left to its servers' expiry (guess). */
const MAX_TRIES = 4
/** Of a request to a primary that has not answered anything yet. */
const DEADLINE_MS = 5_000

/**
 * Ends a group on every server, by whichever way leads to its home; by the primary alone where no server has answered yet.
 * That nobody knows the group is as good. @throws Error when the home cannot be told
 */
export async function endGroup(
  o: OperationContext & { readonly randomness: Randomness; readonly primary: ServerPort },
): Promise<void> {
  const never = new AbortController().signal
  for (let tries = 1; ; tries++) {
    try {
      return await ask(o, never)
    } catch (error) {
      const isRefusal = error instanceof OperationError && !isPassing(error)
      if (isRefusal && (error.status === 404 || error.status === 410)) return
      if (isRefusal || tries >= MAX_TRIES) throw error
      await pause(o.clock, backoffMs({ fruitless: tries, uniform: o.randomness.uniform() }), never)
    }
  }
}

async function ask(o: Parameters<typeof endGroup>[0], signal: AbortSignal): Promise<void> {
  const { group, place, client, clock, directory, primary } = o
  if (directory.stores().length > 0) {
    await new Operations(o).ask(place.store, { op: 'terminate' }, signal)
    return
  }
  const deadline = withDeadline(clock, DEADLINE_MS, signal)
  try {
    await primary.operate({ op: 'terminate', group, home: place.home, store: place.home, client }, deadline.signal)
  } finally {
    deadline.done()
  }
}
