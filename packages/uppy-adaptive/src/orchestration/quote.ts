/** JSON where it has a word for the value; it has none for NaN, Infinity, a bigint or undefined. */
export function quote(value: unknown): string {
  return typeof value === 'string' || (typeof value === 'object' && value !== null)
    ? JSON.stringify(value)
    : String(value)
}
