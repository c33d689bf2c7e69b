import type { Priority, PriorityRange } from '../partitioning/priority.js'
import { quote } from './quote.js'
import { UploadError } from './upload-error.js'

/** @throws UploadError `bad-option` */
export function resolvePriority(given: unknown): Priority | readonly PriorityRange[] | undefined {
  if (given === undefined || isPriority(given)) return given
  if (Array.isArray(given)) return given.map(parseRange)
  throw refuse("priority must be 'high', 'normal' or 'bulk', or a list of { start, end, priority }", given)
}

function parseRange(range: unknown, index: number): PriorityRange {
  const name = `priority[${index}]`
  if (typeof range !== 'object' || range === null) throw refuse(`${name} must be { start, end, priority }`, range)
  const { start, end, priority }: Partial<Record<keyof PriorityRange, unknown>> = range
  const from = parseOffset(`${name}.start`, start)
  const to = end === undefined ? undefined : parseOffset(`${name}.end`, end)
  if (!isPriority(priority)) throw refuse(`${name}.priority must be 'high', 'normal' or 'bulk'`, priority)
  if (to !== undefined && to <= from && to < 0 === from < 0)
    throw refuse(`${name}.end must be more than its start (${from})`, to)
  return { start: from, ...(to === undefined ? {} : { end: to }), priority }
}

function parseOffset(name: string, offset: unknown): number {
  if (typeof offset === 'number' && Number.isSafeInteger(offset)) return offset
  throw refuse(`${name} must be a whole number of bytes, from the file's end where it is negative`, offset)
}

function isPriority(value: unknown): value is Priority {
  return value === 'high' || value === 'normal' || value === 'bulk'
}

function refuse(wanted: string, given: unknown): UploadError {
  return new UploadError('bad-option', `${wanted}, not ${quote(given)}`)
}
