/**
 * `directory-in-use`: another process has the index open. `newer-records`: a later version wrote them.
 * `damaged-records`: some cannot be read. `damaged-index`: the database cannot be opened. `closed`: it was closed, or
 * never opened.
 */
export type IndexErrorCode = 'directory-in-use' | 'newer-records' | 'damaged-records' | 'damaged-index' | 'closed'

/** The records cannot be used; the message says why and what to do. */
export class IndexError extends Error {
  readonly code: IndexErrorCode
  constructor(code: IndexErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'IndexError'
    this.code = code
  }
}
