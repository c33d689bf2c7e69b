/** Every reason for a "no". */
export const REFUSAL_CODES = [
  'bad-request',
  'contradiction',
  'bad-offset',
  'lower-attempt',
  'replaced',
  'session-exists',
  'session-full',
  'session-ended',
  'group-ended',
  'still-writing',
  'committing',
  'too-large',
  'no-progress',
  'no-space',
  'unknown-group',
  'unknown-session',
  'unknown-store',
  'unreachable-store',
  'root-mismatch',
  'checksum-mismatch',
  'final-upload',
  'unfinished-part',
  'name-taken',
  'too-many',
  'overloaded',
  'message-too-large',
  'not-signed',
  'other-run',
  'closing',
  'refused-by-hook',
  'body-consumed',
  'internal',
] as const
export type RefusalCode = (typeof REFUSAL_CODES)[number]

/** An expected "no": a stable code, a sentence for people, and the headers that go with it. No path, no stack. */
export class Refusal extends Error {
  readonly code: RefusalCode
  readonly headers: Readonly<Record<string, string>>
  /** Only where somebody else chose the status: a user's hook, or the store that a request was relayed to. */
  readonly status: number | undefined
  constructor(
    code: RefusalCode,
    message: string,
    options: ErrorOptions & { headers?: Record<string, string>; status?: number } = {},
  ) {
    super(message, options)
    this.name = 'Refusal'
    this.code = code
    this.headers = options.headers ?? {}
    this.status = options.status
  }
}
