/** A value to keep, or null to delete. */
export type EntryWrites = ReadonlyMap<string, string | null>

export interface KeyRange {
  readonly from: string
  /** Not in it. */
  readonly to: string
}

/** All keys that begin with `prefix`, which ends with a slash. */
export function keysUnder(prefix: string): KeyRange {
  // '0' is the character after '/'
  return { from: prefix, to: `${prefix.slice(0, -1)}0` }
}

/** Texts by key, in the order of their keys: what an index needs of a database. */
export interface OrderedEntries {
  open(): Promise<void>
  /** All of it or nothing. */
  write(writes: EntryWrites): Promise<void>
  /** Need not be atomic. */
  clear(range: KeyRange): Promise<void>
  entries(range: KeyRange): AsyncIterable<readonly [key: string, value: string]>
  getMany(keys: readonly string[]): Promise<readonly (string | undefined)[]>
  close(): Promise<void>
}
