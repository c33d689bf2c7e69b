/** What a caller can do wrong. Expected outcomes are never errors; these are programming mistakes, each quoting the value. */
export type PredictorErrorCode =
  | 'invalidTime'
  | 'invalidQuantity'
  | 'invalidOption'
  | 'invalidKey'
  | 'unknownSession'
  | 'noPredictions'
  | 'invalidPrediction'
  | 'oneClass'
  | 'invalidState'
  | 'invalidModel'

export class PredictorError extends Error {
  override readonly name: string = 'PredictorError'
  readonly code: PredictorErrorCode

  constructor(code: PredictorErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

/** A refused value as an error quotes it, strings shortened. Never throws, however deep or foreign the value is. */
export function quote(value: unknown, longest: number = 60): string {
  if (value === undefined) return 'missing'
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'object' && value !== null) return 'an object'
  return typeof value === 'string' ? JSON.stringify(value.slice(0, longest)) : String(value)
}

/** A point in time: any finite number, since only differences matter. */
export function requireTime(nowMs: number): void {
  if (!Number.isFinite(nowMs)) {
    throw new PredictorError('invalidTime', `nowMs must be a finite number of milliseconds, got ${quote(nowMs)}`)
  }
}

/** What a session or a store is called: any text. */
export function requireKey(name: 'session' | 'store', key: string): void {
  if (typeof key !== 'string') throw new PredictorError('invalidKey', `${name} must be a text, got ${quote(key)}`)
}

/** A size, rate or duration: finite and not negative. */
export function requireQuantity(name: string, value: number): void {
  if (!Number.isFinite(value) || value < 0) {
    throw new PredictorError('invalidQuantity', `${name} must be a finite number >= 0, got ${quote(value)}`)
  }
}

/** A quantity from outside that must be more than nothing. */
export function requirePositive(name: string, value: number): void {
  requireInput(name, value)
  if (value === 0) throw new PredictorError('invalidQuantity', `${name} must be above 0, got 0`)
}

/** A quantity from outside: also at most 2^53 - 1, so that no sum of them overflows. */
export function requireInput(name: string, value: number): void {
  requireQuantity(name, value)
  if (value > Number.MAX_SAFE_INTEGER) {
    throw new PredictorError('invalidQuantity', `${name} must be at most 2^53 - 1, got ${quote(value)}`)
  }
}
