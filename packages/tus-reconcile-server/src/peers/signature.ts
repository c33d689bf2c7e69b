import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

export const SIGNATURE_HEADER = 'Reconcile-Signature'

const HEADER = /^t=(\d{1,15}), n=([A-Za-z0-9_-]{16,64}), r=([A-Za-z0-9_-]{22}|), s=([A-Za-z0-9_-]{43})$/
/** How far two servers' clocks may be apart (spec: brief). */
const WINDOW_MS = 60_000

/** Whom a message is for: a store, and the run of it that remembers which messages it has had. */
export interface Receiver {
  readonly storeId: string
  readonly run: string
}

/** Whoever is at the address: greetings alone are for anybody. */
export const ANYBODY: Receiver = { storeId: '', run: '' }

interface Called {
  readonly method: string
  readonly path: string
  readonly body: string
}

interface Signed extends Called {
  readonly to: Receiver
}

interface Stamp {
  readonly time: string
  readonly nonce: string
}

/** `t=…, n=…, r=…, s=…`: time, nonce, the receiver's run, and HMAC-SHA256 over all of `macOf`. */
export function sign(
  secret: string,
  signed: Signed,
  nowMs: number,
): { readonly header: string; readonly trust: Trust } {
  const stamp = { time: String(nowMs), nonce: randomId() }
  const mac = macOf(secret, signed, stamp)
  return { header: `t=${stamp.time}, n=${stamp.nonce}, r=${signed.to.run}, s=${mac}`, trust: { secret, mac } }
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

/** What the answer to a signed message is signed with, and over: the message's own signature. */
export interface Trust {
  readonly secret: string
  readonly mac: string
}

/** A signature that holds. */
export interface Verified extends Trust {
  readonly isForAnybody: boolean
}

/** What is wrong with a signature. */
export interface SignatureFault {
  readonly code: 'not-signed' | 'other-run'
  readonly reason: string
}

/**
 * Checks signatures of any of the secrets; each nonce is accepted once within the window. The nonces live as long as
 * the run that messages are signed for, so what was recorded is of no use at another store, nor after a restart.
 */
export class SignatureVerifier {
  /** No secret, but nobody can have signed for it before it was. */
  readonly run: string = randomId()
  readonly #secrets: () => readonly string[]
  readonly #seen = new Map<string, number>()

  /** `secrets` is asked at every message, so that they can be changed while the server runs. */
  constructor(secrets: () => readonly string[]) {
    this.#secrets = secrets
  }

  check(header: string | null, called: Called, own: { storeId: string; nowMs: number }): Verified | SignatureFault {
    const match = HEADER.exec(header ?? '')
    const [, time = '', nonce = '', run = '', mac = ''] = match ?? []
    if (!match) return notSigned('a peer signs its messages with t, n, r and s, as all servers of this version do')
    const apartMs = Number(time) - own.nowMs
    if (Math.abs(apartMs) > WINDOW_MS) return notSigned(clockFault(apartMs))
    const isForAnybody = run === ''
    if (!isForAnybody && run !== this.run) return { code: 'other-run', reason: 'this is for another run or server' }
    const signed = { ...called, to: isForAnybody ? ANYBODY : { storeId: own.storeId, run } }
    const secret = this.#secrets().find((each) => equal(macOf(each, signed, { time, nonce }), mac))
    if (secret === undefined) return notSigned('the signature is of no secret known here')
    this.#forget(own.nowMs)
    if (this.#seen.has(nonce)) return notSigned('this message was received before')
    this.#seen.set(nonce, own.nowMs)
    return { secret, mac, isForAnybody }
  }

  /** Nonces come in the order of time, so the oldest are first. */
  #forget(nowMs: number): void {
    for (const [nonce, seenMs] of this.#seen) {
      if (nowMs - seenMs <= 2 * WINDOW_MS) return
      this.#seen.delete(nonce)
    }
  }
}

function notSigned(reason: string): SignatureFault {
  return { code: 'not-signed', reason }
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

/** `s=…`: HMAC-SHA256 over the request's own signature, status, `Retry-After` and the body's digest. */
export function signAnswer(trust: Trust, answer: SignedAnswer): string {
  const { status, retryAfter, body } = answer
  const text = ['ANSWER', trust.mac, status, retryAfter ?? '', digestOf(body)].join('\n')
  return `s=${createHmac('sha256', trust.secret).update(text).digest('base64url')}`
}

/** Whether the answer is the peer's own word, and on that very request. */
export function isSignedAnswer(header: string | undefined, trust: Trust, answer: SignedAnswer): boolean {
  return equal(header ?? '', signAnswer(trust, answer))
}

function macOf(secret: string, { method, path, to, body }: Signed, { time, nonce }: Stamp): string {
  const text = [method, path, time, nonce, to.storeId, to.run, digestOf(body)].join('\n')
  return createHmac('sha256', secret).update(text).digest('base64url')
}

/** 128 bits. */
function randomId(): string {
  return randomBytes(16).toString('base64url')
}

function digestOf(body: string): string {
  return createHash('sha256').update(body).digest('base64url')
}

function equal(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)]
  return one.length === other.length && timingSafeEqual(one, other)
}
