/** A block of a file that lies in this store, whole and verified. */
export interface ContentPlace {
  readonly fileId: string
  readonly block: number
}

export interface ContentEntry extends ContentPlace {
  /** Within it blocks are known again; what lies in another is never told. */
  readonly scope: string
  /** SHA-256 of the block's bytes, base64url. */
  readonly leaf: string
}

/** Places remembered for one leaf of one scope; the oldest goes first (guess: more are no use to whoever looks). */
export const MAX_PLACES = 4

/**
 * Which blocks are stored where. A hint: whoever uses a place checks its bytes. Of files with several blocks of one
 * leaf one is remembered.
 */
export interface ContentIndex {
  put(entries: readonly ContentEntry[]): Promise<void>
  /** The places of those leaves that the scope has, newest first, as far as puts have settled. */
  find(scope: string, leaves: readonly string[]): Promise<ReadonlyMap<string, readonly ContentPlace[]>>
  /** The file is gone: none of its blocks is found any more. */
  removeFile(fileId: string): Promise<void>
}
