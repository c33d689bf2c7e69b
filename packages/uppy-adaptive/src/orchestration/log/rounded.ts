/** What is JSON of the value, with four digits of every fraction in it: more than was measured, and half of the log. */
export function rounded<T>(value: T): T {
  return round(value) as T
}

function round(value: unknown): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? value : Number(value.toPrecision(4))
  if (Array.isArray(value)) return value.map(round)
  if (typeof value !== 'object' || value === null) return value
  if ('toJSON' in value && typeof value.toJSON === 'function') return round(value.toJSON())
  const copy: Record<string, unknown> = {}
  for (const [key, each] of Object.entries(value)) copy[key] = round(each)
  return copy
}
