import type { RankedStore } from '../redundancy/mirror-choice.js'
import { rankStores } from '../redundancy/mirror-choice.js'
import type { LoggedModel } from './logged-model.js'
import type { Store } from './server-directory.js'

/** Assumed round trip before one was measured. */
export const UNKNOWN_RTT_MS = 100

/** The stores by when each would have these bytes, soonest first. `inFlight` counts the sessions that it sends beside. */
export function rankForBytes(
  model: Pick<LoggedModel, 'store'>,
  stores: readonly Store[],
  o: { bytes: number; inFlight: (store: Store) => number },
): RankedStore[] {
  const options = stores.map((store) => {
    const { goodputBytesPerSecond, requestRttMs = UNKNOWN_RTT_MS, failuresPerSecond } = model.store(store.id)
    return { store: store.id, goodputBytesPerSecond, requestRttMs, failuresPerSecond, inFlight: o.inFlight(store) }
  })
  return rankStores(options, o.bytes)
}
