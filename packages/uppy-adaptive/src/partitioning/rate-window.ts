/** Bytes that were acknowledged between two moments. */
interface Flow {
  readonly fromMs: number
  readonly toMs: number
  readonly bytes: number
}

/** The mean of some rates, bytes per second, and how far it may be off. */
export interface RateSample {
  readonly mean: number
  readonly standardError: number
  readonly durationMs: number
  readonly samples: number
}

/** Older rates say nothing of now (guess: 20 samples of 250 ms). */
const LONGEST_MS = 5_000
/** Acknowledgements come in lumps: even equal rates are not known better than to this share (guess). */
const LEAST_ERROR_SHARE = 0.05
/** Acknowledgements that come so many times later than they usually do are late, and no lump (guess). */
const LATE_GAPS = 2
/** Timers are not exact. */
const CLOCK_MS = 20
/** Of a normal distribution, between its quartiles. */
const SIGMAS_BETWEEN_QUARTILES = 1.35
/** Fewer say nothing of how much they vary. */
const LEAST_PAIRS = 5

/** The rates of the last seconds, each as it was measured from one acknowledgement to the next. */
export class RateWindow {
  readonly #flows: Flow[] = []
  /** Since the last acknowledgement. */
  #silence: Flow | undefined

  /** What came between two looks at what is acknowledged; nothing belongs to what comes next. */
  add(flow: Flow): void {
    const whole = { ...flow, fromMs: this.#silence?.fromMs ?? flow.fromMs }
    if (flow.bytes === 0) {
      this.#silence = whole
      return
    }
    this.#silence = undefined
    this.#flows.push(whole)
    while ((this.#flows[0]?.fromMs ?? flow.toMs) < flow.toMs - LONGEST_MS) this.#flows.shift()
  }

  /** What flows now is another number's: it does not end a silence from before. */
  interrupt(): void {
    this.#silence = undefined
  }

  /** Of what began at that time or later. */
  since(ms: number): RateSample {
    return meanRate(this.#known().filter(({ fromMs }) => fromMs >= ms))
  }

  /**
   * How much the rates since then vary, over their middle one: between the quartiles, as one hiccup of ours is no loss. Two
   * are taken together, for acknowledgements come in lumps. 0 while they are too few.
   */
  variation(sinceMs: number): number {
    const flows = this.#flows.filter(({ fromMs }) => fromMs >= sinceMs)
    const rates = flows
      .flatMap((flow, i) => {
        const next = i % 2 === 0 ? flows[i + 1] : undefined
        return next ? [(flow.bytes + next.bytes) / (next.toMs - flow.fromMs)] : []
      })
      .sort((a, b) => a - b)
    if (rates.length < LEAST_PAIRS) return 0
    const at = (share: number) => rates[Math.round(share * (rates.length - 1))] ?? 0
    return (at(0.75) - at(0.25)) / SIGMAS_BETWEEN_QUARTILES / Math.max(at(0.5), Number.MIN_VALUE)
  }

  /** Of the last moments before the last acknowledgement. */
  recent(overMs: number): RateSample {
    return this.since((this.#flows.at(-1)?.toMs ?? 0) - overMs - CLOCK_MS)
  }

  /** The lowest and the highest mean over so long in the last seconds; undefined before. */
  extremes(overMs: number): { readonly lowest: RateSample; readonly highest: RateSample } | undefined {
    const means = this.#flows
      .map((flow, i) => this.#flows.slice(i).filter(({ fromMs }) => fromMs < flow.fromMs + overMs - CLOCK_MS))
      .map(meanRate)
      .filter(({ durationMs }) => durationMs >= overMs - CLOCK_MS)
      .sort((a, b) => a.mean - b.mean)
    const [lowest, highest] = [means[0], means.at(-1)]
    return lowest && highest && { lowest, highest }
  }

  /** Whether the last two are so many times the two before, or so many times less. */
  trend(times: number): 'rising' | 'falling' | 'level' {
    const recent = meanRate(this.#flows.slice(-2))
    const before = meanRate(this.#flows.slice(-4, -2))
    if (before.samples > 0 && recent.mean > times * before.mean) return 'rising'
    return recent.mean * times < before.mean ? 'falling' : 'level'
  }

  /** With a silence that is longer than lumps explain. */
  #known(): Flow[] {
    const gapsMs = this.#flows.map(({ fromMs, toMs }) => toMs - fromMs).sort((a, b) => a - b)
    const usualMs = gapsMs[Math.floor(gapsMs.length / 2)] ?? 0
    const silence = this.#silence
    const isLate = silence !== undefined && silence.toMs - silence.fromMs >= LATE_GAPS * usualMs - CLOCK_MS
    return isLate ? [...this.#flows, silence] : this.#flows
  }
}

/** Rates weigh as long as they lasted; the standard error is that of independent samples. */
function meanRate(flows: readonly Flow[]): RateSample {
  const durationMs = flows.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0)
  if (durationMs <= 0) return { mean: 0, standardError: 0, durationMs: 0, samples: 0 }
  const mean = (1000 * flows.reduce((sum, { bytes }) => sum + bytes, 0)) / durationMs
  const squares = flows.reduce((sum, { fromMs, toMs, bytes }) => {
    const rate = (1000 * bytes) / (toMs - fromMs)
    return sum + (toMs - fromMs) * (rate - mean) ** 2
  }, 0)
  const samples = flows.length
  const variance = samples > 1 ? ((squares / durationMs) * samples) / (samples - 1) : mean ** 2
  const standardError = Math.max(Math.sqrt(variance / samples), LEAST_ERROR_SHARE * mean)
  return { mean, standardError, durationMs, samples }
}
