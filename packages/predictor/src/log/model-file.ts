import { PredictorError, quote } from '../predictor-error.js'
import type { LogNormal } from './log-normal-fit.js'
import type { Recalibration } from './platt.js'

const FORMAT = 'upload-predictor-model'
const VERSION = 1
/** A model is some kilobytes. */
const MOST_CHARACTERS = 1_000_000

/** One learned part. `from` is `prior` while there was too little to learn from: `seen` of the `needed` observations. */
export type Learned<T> = {
  readonly from: 'log' | 'prior'
  readonly seen: number
  readonly needed: number
} & T

/** Turns of the link, as rates per second of the state it turns from, and what they were counted from. */
export interface LinkRates {
  readonly goodBadPerSecond: number
  readonly badGoodPerSecond: number
  readonly goodSeconds: number
  readonly badSeconds: number
  readonly goodToBad: number
  readonly badToGood: number
}

/** Gamma(failures, seconds): of a store that is not known yet. */
export interface Hazard {
  readonly failures: number
  readonly seconds: number
}

export interface Provenance {
  readonly logs: readonly { readonly name: string; readonly sha256: string; readonly lines: number }[]
  readonly uploads: number
  readonly sessions: number
  readonly stores: number
  /** Of transfer, summed over sessions. */
  readonly transferSeconds: number
  /** Wall clock, ms since 1970: the first and the last event learned from, and when the model was made. */
  readonly fromMs: number
  readonly toMs: number
  readonly fittedMs: number
}

/** What logs taught, as a file. */
export interface PredictorModel {
  readonly format: typeof FORMAT
  readonly version: typeof VERSION
  readonly provenance: Provenance
  /** Of seconds in which two servers or more were in use. */
  readonly link: Learned<LinkRates>
  /** ln of ms between acknowledgements while moving, and from a session's start to its first. */
  readonly gaps: Learned<LogNormal>
  readonly startGaps: Learned<LogNormal>
  readonly hazard: Learned<Hazard>
  /** ln of actual over planned time. */
  readonly completion: Learned<LogNormal>
  /** Of `risk`. */
  readonly calibration: Learned<Recalibration>
}

/** Only what was learned: what is left out stays at the predictor's own prior. */
export interface Priors {
  readonly link?: LinkRates
  readonly gaps?: LogNormal
  readonly startGaps?: LogNormal
  readonly hazard?: Hazard
  readonly completion?: LogNormal
  readonly calibration?: Recalibration
}

/** The parts to learn, with their bounds: beyond them a value is no rate or rhythm of any network. */
const PARTS = {
  link: {
    goodBadPerSecond: [1e-6, 1],
    badGoodPerSecond: [1e-6, 1],
    goodSeconds: [0, 1e9],
    badSeconds: [0, 1e9],
    goodToBad: [0, 1e9],
    badToGood: [0, 1e9],
  },
  gaps: { meanLog: [-5, 20], sigma: [0, 10] },
  startGaps: { meanLog: [-5, 20], sigma: [0, 10] },
  hazard: { failures: [1e-6, 1e6], seconds: [1e-3, 1e9] },
  completion: { meanLog: [-10, 10], sigma: [0, 10] },
  calibration: { slope: [0.01, 100], intercept: [-50, 50] },
} as const

export function makeModel(parts: Omit<PredictorModel, 'format' | 'version'>): PredictorModel {
  return { format: FORMAT, version: VERSION, ...parts }
}

/** What a predictor may start from. */
export function priorsOf(model: PredictorModel): Priors {
  const learned: Record<string, object> = {}
  for (const part of Object.keys(PARTS) as (keyof typeof PARTS)[]) {
    const { from, seen: _seen, needed: _needed, ...values } = model[part]
    if (from === 'log') learned[part] = values
  }
  return learned
}

/** @throws PredictorError `invalidModel` for a value that no model has */
export function requirePriors(priors: Priors): void {
  for (const [part, bounds] of Object.entries(PARTS)) {
    const values = priors[part as keyof Priors]
    if (values !== undefined) requireBounds(part, bounds, record(values, part))
  }
}

/** @throws PredictorError `invalidModel` for text that is no model of this version, saying where */
export function parseModel(text: string): PredictorModel {
  if (text.length > MOST_CHARACTERS) refuse(`is ${text.length} characters long, no model is`)
  const value = record(parseJson(text), 'the file')
  if (value.format !== FORMAT) refuse(`format is ${quote(value.format)}, not "${FORMAT}"`)
  if (value.version !== VERSION) refuse(`version is ${quote(value.version)}, this predictor reads ${VERSION}`)
  for (const [part, bounds] of Object.entries(PARTS)) checkPart(part, bounds, record(value[part], part))
  checkProvenance(record(value.provenance, 'provenance'))
  return value as unknown as PredictorModel
}

function checkPart(part: string, bounds: object, value: Readonly<Record<string, unknown>>): void {
  if (value.from !== 'log' && value.from !== 'prior') refuse(`${part}.from is ${quote(value.from)}`)
  requireWithin(`${part}.seen`, value.seen, 0, Number.MAX_SAFE_INTEGER)
  requireWithin(`${part}.needed`, value.needed, 0, Number.MAX_SAFE_INTEGER)
  requireBounds(part, bounds, value)
}

function requireBounds(part: string, bounds: object, value: Readonly<Record<string, unknown>>): void {
  for (const [name, [least, most]] of Object.entries(bounds as Record<string, readonly [number, number]>)) {
    requireWithin(`${part}.${name}`, value[name], least, most)
  }
}

function checkProvenance(value: Readonly<Record<string, unknown>>): void {
  for (const name of ['uploads', 'sessions', 'stores', 'transferSeconds', 'fromMs', 'toMs', 'fittedMs']) {
    requireWithin(`provenance.${name}`, value[name], 0, Number.MAX_SAFE_INTEGER)
  }
  if (!Array.isArray(value.logs)) return refuse('provenance.logs is no list')
  for (const log of value.logs) {
    const { name, sha256 } = record(log, 'provenance.logs')
    if (typeof name !== 'string' || typeof sha256 !== 'string') refuse('provenance.logs lacks a name or a SHA-256')
  }
}

function requireWithin(name: string, value: unknown, least: number, most: number): void {
  if (typeof value === 'number' && value >= least && value <= most) return
  refuse(`${name} must be a number from ${least} to ${most}, got ${quote(value)}`)
}

function record(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  return refuse(`${name} is no object`)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return refuse('the file is no JSON')
  }
}

function refuse(why: string): never {
  throw new PredictorError('invalidModel', `this is no model that "fit" has made: ${why}`)
}
