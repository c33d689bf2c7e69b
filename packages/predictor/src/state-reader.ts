import { PredictorError, quote } from './predictor-error.js'

export function refuse(path: string, expected: string, got: unknown): never {
  throw new PredictorError('invalidState', `${path} must be ${expected}, got ${quote(got)}`)
}

export function object(path: string, value: unknown): { readonly [key: string]: unknown } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse(path, 'an object', value)
  return value as { readonly [key: string]: unknown }
}

/** A list of exactly `length` items, or of at most `most`. */
export function list(path: string, value: unknown, length?: number, most: number = length ?? 0): readonly unknown[] {
  if (!Array.isArray(value)) return refuse(path, 'a list', value)
  if (length !== undefined && value.length !== length) return refuse(path, `a list of ${length}`, value)
  if (value.length > most) return refuse(path, `a list of at most ${most}`, value)
  return value
}

export function number(path: string, value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && value >= least && value <= most) return value
  return refuse(path, `a number from ${least} to ${most}`, value)
}

export function text(path: string, value: unknown, longest: number): string {
  if (typeof value === 'string' && value.length <= longest) return value
  return refuse(path, `a text of at most ${longest} characters`, value)
}
