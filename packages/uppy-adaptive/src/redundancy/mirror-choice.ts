/** A store that could take more work, as the choice sees it. */
export interface StoreOption {
  readonly store: string
  /** Goodput of one session; undefined while nothing is known. */
  readonly goodputBytesPerSecond: number | undefined
  readonly requestRttMs: number
  readonly failuresPerSecond: number
  readonly inFlight: number
}

export interface RankedStore extends StoreOption {
  /** Set-up plus transfer, inflated by how likely it is to fail meanwhile, milliseconds. */
  readonly expectedMs: number
  readonly rateBytesPerSecond: number
}

/** Assumed before anything was measured: 1 Mbit/s, so that a known server wins over an unknown one (guess). */
const UNKNOWN_RATE = 125_000
/** Keeps a store that moves nothing comparable: last, and not a division by zero. */
const LEAST_RATE = 1

/** Stores by expected completion of `bytes`: setup + bytes / (rate / (in flight + 1)), over 1 − P(failure) (METHODS). Best first. */
export function rankStores(options: readonly StoreOption[], bytes: number): RankedStore[] {
  return options.map((option) => rank(option, bytes)).sort((a, b) => a.expectedMs - b.expectedMs)
}

function rank(option: StoreOption, bytes: number): RankedStore {
  const rateBytesPerSecond = Math.max(option.goodputBytesPerSecond ?? UNKNOWN_RATE, LEAST_RATE) / (option.inFlight + 1)
  const setupMs = 2 * option.requestRttMs
  const plainMs = setupMs + (bytes / rateBytesPerSecond) * 1000
  const survival = Math.exp(-option.failuresPerSecond * (plainMs / 1000))
  return { ...option, rateBytesPerSecond, expectedMs: plainMs / Math.max(survival, 0.05) }
}
