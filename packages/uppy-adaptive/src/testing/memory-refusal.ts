/** A request that is refused, as docs/protocol.md, section 8 has it. */
export class Refusal extends Error {
  readonly status: number
  readonly code: string
  readonly state: string | undefined
  readonly retryAfterMs: number | undefined

  constructor(status: number, code: string, o: { state?: string; retryAfterMs?: number; message?: string } = {}) {
    super(o.message ?? code)
    this.status = status
    this.code = code
    this.state = o.state
    this.retryAfterMs = o.retryAfterMs
  }
}

/** The client has gone, or its way. */
export class CutError extends Error {}
