/** The bytes of one group as its room sees them: positional, sparse, one for all sessions. */
export interface BlockFile {
  /** Settles when every byte is written, or fails; a part may have been written then. */
  write(position: number, bytes: Uint8Array): Promise<void>
  /** Fewer bytes than `length` only at the end of what exists. */
  read(position: number, length: number): Promise<Uint8Array>
  /** Nobody is writing for now: descriptors may be closed. */
  idle(): Promise<void>
  remove(): Promise<void>
}
