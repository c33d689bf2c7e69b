/** Bytes as a group's room sees them: positional, sparse, one file for all sessions. */
export interface BlockFile {
  /** Writes `pieces` one after the other. Settles when every byte is written, or fails; a part may have been written then. */
  write(position: number, ...pieces: readonly Uint8Array[]): Promise<void>
  /** Fewer bytes than `length` only at the end of what exists. What was never written reads as zeros before that. */
  read(position: number, length: number): Promise<Uint8Array>
  /** Settles when a power cut no longer takes what was written before the call. Calls at one time share their work. */
  sync(): Promise<void>
  /** Nobody is writing for now: descriptors may be closed. */
  idle(): Promise<void>
  /** Takes all bytes away, after what is running on them. What is written later begins anew. */
  remove(): Promise<void>
}

/** Where the bytes of groups are, by their ids. */
export interface BlockFiles {
  open(name: string): BlockFile
  /** Bytes that need not outlive the process: copies of blocks that nobody has verified. */
  openSide(name: string): BlockFile
}
