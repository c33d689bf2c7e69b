/** What a crash may leave of a finished upload: its bytes, what FileStore knows of it, or both. */
export interface FileTrace {
  /** In bytes; undefined where there is no file. */
  readonly length: number | undefined
  readonly hasInfo: boolean
  /** What has the name is a placeholder, or as much of one as a crash let be written. */
  readonly isPlaceholder: boolean
}
