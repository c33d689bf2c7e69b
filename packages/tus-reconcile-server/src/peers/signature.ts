import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

export const SIGNATURE_HEADER = 'Reconcile-Signature'

/** How far two servers' clocks may be apart (spec: brief). */
const WINDOW_MS = 60_000

interface Signed {
  readonly method: string
  readonly path: string
  readonly body: string
}

/** `t=…, n=…, s=…`: time, nonce, and HMAC-SHA256 over method, path, time, nonce and the body's digest. */
export function sign(secret: string, signed: Signed, nowMs: number, nonce: string = newNonce()): string {
  return `t=${nowMs}, n=${nonce}, s=${mac(secret, signed, { time: String(nowMs), nonce })}`
}

/** A coded error: nothing is sent that would be signed with no secret. */
class NoSecretError extends Error {
  readonly code = 'no-secret'
  constructor() {
    super('there is no secret of at least 16 characters to sign with: let `secrets` return one, as it did at the start')
  }
}

/** The first. @throws NoSecretError */
export function signingSecret([first]: readonly string[]): string {
  if (first === undefined) throw new NoSecretError()
  return first
}

export function newNonce(): string {
  return randomBytes(16).toString('base64url')
}

/** What a signature that holds says: answers are signed with the same secret, over the same nonce. */
export interface Trust {
  readonly secret: string
  readonly nonce: string
}

/** Checks signatures of any of the secrets; each nonce is accepted once within the window. */
export class SignatureVerifier {
  readonly #secrets: () => readonly string[]
  readonly #seen = new Map<string, number>()

  /** `secrets` is asked at every message, so that they can be changed while the server runs. */
  constructor(secrets: () => readonly string[]) {
    this.#secrets = secrets
  }

  /** What may be relied on, or in a sentence what is wrong. */
  check(header: string | null, signed: Signed, nowMs: number): Trust | string {
    const match = /^t=(\d{1,15}), n=([A-Za-z0-9_-]{16,64}), s=([A-Za-z0-9_-]{43})$/.exec(header ?? '')
    const [, time = '', nonce = '', given = ''] = match ?? []
    if (!match) return 'a peer signs its messages'
    const apartMs = Number(time) - nowMs
    if (Math.abs(apartMs) > WINDOW_MS) return clockFault(apartMs)
    const secret = this.#secrets().find((each) => equal(mac(each, signed, { time, nonce }), given))
    if (secret === undefined) return 'the signature is of no secret known here'
    this.#forget(nowMs)
    if (this.#seen.has(nonce)) return 'this message was received before'
    this.#seen.set(nonce, nowMs)
    return { secret, nonce }
  }

  /** Nonces come in the order of time, so the oldest are first. */
  #forget(nowMs: number): void {
    for (const [nonce, seenMs] of this.#seen) {
      if (nowMs - seenMs <= 2 * WINDOW_MS) return
      this.#seen.delete(nonce)
    }
  }
}

function clockFault(apartMs: number): string {
  const apart = `${Math.round(Math.abs(apartMs) / 1000)} s ${apartMs < 0 ? 'behind' : 'ahead of'}`
  return `the sender's clock is ${apart} this server's, at most ${WINDOW_MS / 1000} s are allowed: set the clocks (NTP)`
}

/** The parts of an answer that its reader relies on. */
interface SignedAnswer {
  readonly status: number
  readonly retryAfter: string | null
  readonly body: string
}

/** `s=…`: HMAC-SHA256 over the request's nonce, status, `Retry-After` and the body's digest. */
export function signAnswer(trust: Trust, answer: SignedAnswer): string {
  const { status, retryAfter, body } = answer
  const text = ['ANSWER', trust.nonce, status, retryAfter ?? '', digestOf(body)].join('\n')
  return `s=${createHmac('sha256', trust.secret).update(text).digest('base64url')}`
}

/** Whether the answer is the peer's own word, and on that very request. */
export function isSignedAnswer(header: string | undefined, trust: Trust, answer: SignedAnswer): boolean {
  return equal(header ?? '', signAnswer(trust, answer))
}

function mac(secret: string, signed: Signed, stamp: { readonly time: string; readonly nonce: string }): string {
  const text = [signed.method, signed.path, stamp.time, stamp.nonce, digestOf(signed.body)].join('\n')
  return createHmac('sha256', secret).update(text).digest('base64url')
}

function digestOf(body: string): string {
  return createHash('sha256').update(body).digest('base64url')
}

function equal(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)]
  return one.length === other.length && timingSafeEqual(one, other)
}
