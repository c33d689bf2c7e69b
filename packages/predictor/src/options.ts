import type { Priors } from './log/model-file.js'
import { PredictorError } from './predictor-error.js'

export interface RiskModelOptions {
  /** Step of the link filter. METHODS: 250 ms. */
  tickMs: number
  /** The longest horizon of a risk; it is otherwise twice the expected remaining time, at least 1 s. Guess. */
  maxHorizonMs: number
  /** Suspicion from which signs of life from elsewhere are wanted. METHODS: phi 1, "watch". */
  probePhi: number
  /** Share of its forecast below which the same is wanted of a session's rate. METHODS, finding 1: a half. */
  probeRateRatio: number
}

/** Options, and what event logs taught (`priorsOf` a model of `fit`): what the link and stores just met are taken to be. */
export type RiskModelSetup = Partial<RiskModelOptions> & { readonly priors?: Priors }

const DEFAULTS: RiskModelOptions = { tickMs: 250, maxHorizonMs: 10_000, probePhi: 1, probeRateRatio: 0.5 }

/** Defaults filled in; each value must be finite and above zero. */
export function resolveOptions(options: Partial<RiskModelOptions>): RiskModelOptions {
  const positive = (key: keyof RiskModelOptions): number => {
    const value = options[key] ?? DEFAULTS[key]
    if (Number.isFinite(value) && value > 0) return value
    throw new PredictorError('invalidOption', `${key} must be a finite number > 0, got ${String(value)}`)
  }
  return {
    tickMs: positive('tickMs'),
    maxHorizonMs: positive('maxHorizonMs'),
    probePhi: positive('probePhi'),
    probeRateRatio: positive('probeRateRatio'),
  }
}
