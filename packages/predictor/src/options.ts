import { requireTick } from './link-transitions.js'
import type { Priors } from './log/model-file.js'
import { PredictorError, quote } from './predictor-error.js'

export interface RiskModelOptions {
  /** Step of the link filter, 1 to 1,000 ms. Default 250 (METHODS). */
  tickMs: number
  /** The longest horizon of a risk; it is otherwise twice the expected remaining time, at least 1 s. Default 10,000 ms (guess). */
  maxHorizonMs: number
  /** Suspicion from which signs of life from elsewhere are wanted. Default 1 (METHODS: "watch"). */
  probePhi: number
  /** Share of its forecast below which the same is wanted of a session's rate. Default a half (METHODS, finding 1). */
  probeRateRatio: number
}

/** Options, and what event logs taught (`priorsOf` a model of `fit`): what the link and stores just met are taken to be. */
export type RiskModelSetup = Partial<RiskModelOptions> & { readonly priors?: Priors }

const DEFAULTS: RiskModelOptions = { tickMs: 250, maxHorizonMs: 10_000, probePhi: 1, probeRateRatio: 0.5 }

/** Defaults filled in; each value must be finite and above zero. @throws PredictorError `invalidOption` */
export function resolveOptions(options: Partial<RiskModelOptions>): RiskModelOptions {
  const positive = (key: keyof RiskModelOptions): number => {
    const value = options[key] ?? DEFAULTS[key]
    if (Number.isFinite(value) && value > 0) return value
    throw new PredictorError('invalidOption', `${key} must be a finite number > 0, got ${quote(value)}`)
  }
  const tickMs = positive('tickMs')
  requireTick(tickMs)
  return {
    tickMs,
    maxHorizonMs: positive('maxHorizonMs'),
    probePhi: positive('probePhi'),
    probeRateRatio: positive('probeRateRatio'),
  }
}
