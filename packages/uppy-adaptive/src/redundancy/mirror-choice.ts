/** A store that could take more work, as the choice sees it. */
export interface StoreOption {
  readonly store: string
  /** Goodput of one session; undefined while nothing is known. */
  readonly goodputBytesPerSecond: number | undefined
  /** Standard deviation of its logarithm: how well it is known. */
  readonly goodputSpread: number
  readonly requestRttMs: number
  /** Failures per second of transfer: a Gamma distribution of this shape (`failures`) and this rate (`seconds`). */
  readonly failures: { readonly failures: number; readonly seconds: number }
  readonly inFlight: number
}

export interface RankedStore extends StoreOption {
  /** Set-up plus transfer, inflated by how likely it is to fail meanwhile, milliseconds. */
  readonly expectedMs: number
  readonly rateBytesPerSecond: number
}

/** Random numbers for one store. */
export interface StoreDraw {
  /** Standard normal. */
  readonly rate: number
  readonly failures: number
  /** Uniform in [0, 1). */
  readonly tail: number
}

/** Assumed before anything was measured: 1 Mbit/s, so that a known server wins over an unknown one (guess). */
const UNKNOWN_RATE = 125_000
/** Keeps a store that moves nothing comparable: last, and not a division by zero. */
const LEAST_RATE = 1
/** A store that is expected to need this much more than the best is no question: trying it would cost more than it tells (guess). */
const IN_QUESTION = 1.5

/** Stores by expected completion of `bytes`: setup + bytes / (rate / (in flight + 1)), over 1 − P(failure) (METHODS). Best first. */
export function rankStores(options: readonly StoreOption[], bytes: number): RankedStore[] {
  return options.map((option) => rank(option, bytes)).sort((a, b) => a.expectedMs - b.expectedMs)
}

/**
 * Thompson sampling: those that are expected to need up to 1.5 times what the best needs are tried in the order that one
 * draw of each store's rate and failures gives them, the others come after them as ranked. A store that nothing is known of
 * is drawn as it is ranked: what it is worth shows when it has work. `draws`: one for each of `ranked`.
 */
export function drawStores(ranked: readonly RankedStore[], bytes: number, draws: readonly StoreDraw[]): RankedStore[] {
  const limitMs = IN_QUESTION * (ranked[0]?.expectedMs ?? 0)
  const drawn = ranked.map((store, at) => {
    const draw = draws[at]
    const isOpen = store.expectedMs <= limitMs
    const isKnown = store.goodputBytesPerSecond !== undefined
    return { store, isOpen, drawnMs: isKnown && draw ? drawMs(store, bytes, draw) : store.expectedMs }
  })
  const open = drawn.filter(({ isOpen }) => isOpen).sort((a, b) => a.drawnMs - b.drawnMs)
  return [...open, ...drawn.filter(({ isOpen }) => !isOpen)].map(({ store }) => store)
}

function rank(option: StoreOption, bytes: number): RankedStore {
  const { failures, seconds } = option.failures
  return { ...option, ...project(option, bytes, { rateFactor: 1, failuresPerSecond: failures / seconds }) }
}

function drawMs(option: StoreOption, bytes: number, draw: StoreDraw): number {
  const { failures, seconds } = option.failures
  const rateFactor = Math.exp(option.goodputSpread * draw.rate)
  return project(option, bytes, { rateFactor, failuresPerSecond: gammaOf(failures, draw) / seconds }).expectedMs
}

function project(
  option: StoreOption,
  bytes: number,
  { rateFactor, failuresPerSecond }: { rateFactor: number; failuresPerSecond: number },
): { expectedMs: number; rateBytesPerSecond: number } {
  const rate = rateFactor * Math.max(option.goodputBytesPerSecond ?? UNKNOWN_RATE, LEAST_RATE)
  const rateBytesPerSecond = rate / (option.inFlight + 1)
  const plainMs = 2 * option.requestRttMs + (bytes / rateBytesPerSecond) * 1000
  const survival = Math.exp(-failuresPerSecond * (plainMs / 1000))
  return { rateBytesPerSecond, expectedMs: plainMs / Math.max(survival, 0.05) }
}

/**
 * A draw from Gamma(shape, 1): one of shape + 1 (Wilson and Hilferty's cube, within 2 % from shape 1 on), times
 * u^(1/shape) (Marsaglia and Tsang 2000, section 6), which is exact.
 */
export function gammaOf(shape: number, { failures: z, tail: u }: Omit<StoreDraw, 'rate'>): number {
  if (shape <= 0) return 0
  const above = shape + 1
  const cube = Math.max(0, 1 - 1 / (9 * above) + z / (3 * Math.sqrt(above))) ** 3
  return above * cube * u ** (1 / shape)
}
