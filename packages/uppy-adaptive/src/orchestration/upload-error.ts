export type UploadErrorCode =
  | 'no-endpoint'
  | 'bad-option'
  | 'bad-source'
  | 'stream-passed'
  | 'mirrors-failed'
  | 'not-a-tus-server'
  | 'unreachable'
  | 'source-unreadable'
  | 'source-changed'
  | 'refused'
  | 'too-large'
  | 'server-full'
  | 'gone'
  | 'gave-up'
  | 'aborted'
  | 'cancelled'

/** What is at fault that an upload goes on without. */
export type WarningCode =
  | 'asked-again'
  | 'begun-anew'
  | 'cancel-incomplete'
  | 'commit-at-primary'
  | 'credentials-refused'
  | 'home-elsewhere'
  | 'journal-failed'
  | 'memory-failed'
  | 'mirror-commits-at-home'
  | 'mirror-expired'
  | 'mirror-refused'
  | 'mirror-unreachable'
  | 'mirror-unusable'
  | 'mirror-without-extension'
  | 'mirrors-failed'
  | 'plain-server'
  | 'same-store'
  | 'server-full'
  | 'split-late'
  | 'unreachable'

/** Why an upload ended without a file. The message names the thing at fault and says what to do. */
export class UploadError extends Error {
  readonly code: UploadErrorCode
  /** The HTTP status that caused it, where one did. */
  readonly status: number | undefined
  constructor(code: UploadErrorCode, message: string, options: ErrorOptions & { status?: number } = {}) {
    super(message, options)
    this.name = 'UploadError'
    this.code = code
    this.status = options.status
  }
}

export function toError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause))
}
