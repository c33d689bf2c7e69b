export type ProtocolErrorCode = 'bad-header' | 'bad-message' | 'bad-digest' | 'bad-id'

/** Something on the wire is not as the protocol says; the message quotes it and says what was expected. */
export class ProtocolError extends Error {
  readonly code: ProtocolErrorCode
  constructor(code: ProtocolErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ProtocolError'
    this.code = code
  }
}
