import type { RankedStore, StoreDraw } from '../../redundancy/mirror-choice.js'
import { drawStores, rankStores } from '../../redundancy/mirror-choice.js'
import type { LoggedModel } from '../model/logged-model.js'
import type { Randomness } from '../ports.js'
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
    const view = model.store(store.id)
    const { goodputBytesPerSecond, goodputSpread, requestRttMs = UNKNOWN_RTT_MS } = view
    const failures = { failures: view.failureShape, seconds: view.failureSeconds }
    return {
      store: store.id,
      goodputBytesPerSecond,
      goodputSpread,
      requestRttMs,
      failures,
      inFlight: o.inFlight(store),
    }
  })
  return rankStores(options, o.bytes)
}

/** The order in which to try them: by chance among those that are nearly as good as the best, as far as they are known. */
export function drawForBytes(ranked: readonly RankedStore[], bytes: number, randomness: Randomness): RankedStore[] {
  if (ranked.length < 2) return [...ranked]
  return drawStores(
    ranked,
    bytes,
    ranked.map(() => drawOf(randomness)),
  )
}

function drawOf(randomness: Randomness): StoreDraw {
  // Box and Muller: two uniform numbers give two normal ones
  const radius = Math.sqrt(-2 * Math.log(1 - randomness.uniform()))
  const angle = 2 * Math.PI * randomness.uniform()
  return { rate: radius * Math.cos(angle), failures: radius * Math.sin(angle), tail: randomness.uniform() }
}
