import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

export const SIGNATURE_HEADER = 'Reconcile-Signature'

/** How far two servers' clocks may be apart (spec: brief). */
const WINDOW_MS = 60_000

export interface Signed {
  readonly method: string
  readonly path: string
  readonly body: string
}

/** `t=…, n=…, s=…`: time, nonce, and HMAC-SHA256 over method, path, time, nonce and the body's digest. */
export function sign(secret: string, signed: Signed, nowMs: number): string {
  const nonce = randomBytes(16).toString('base64url')
  return `t=${nowMs}, n=${nonce}, s=${mac(secret, signed, { time: String(nowMs), nonce })}`
}

/** Checks signatures of any of the secrets; each nonce is accepted once within the window. */
export class SignatureVerifier {
  readonly #secrets: readonly string[]
  readonly #seen = new Map<string, number>()

  constructor(secrets: readonly string[]) {
    this.#secrets = secrets
  }

  /** `undefined` when all is well, else what is wrong. */
  fault(header: string | null, signed: Signed, nowMs: number): string | undefined {
    const match = /^t=(\d{1,15}), n=([A-Za-z0-9_-]{16,64}), s=([A-Za-z0-9_-]{43})$/.exec(header ?? '')
    const [, time = '', nonce = '', given = ''] = match ?? []
    if (!match) return 'a peer signs its messages'
    if (Math.abs(nowMs - Number(time)) > WINDOW_MS) return 'the clocks of the two servers are too far apart'
    const known = this.#secrets.some((secret) => equal(mac(secret, signed, { time, nonce }), given))
    if (!known) return 'the signature is of no secret known here'
    this.#forget(nowMs)
    if (this.#seen.has(nonce)) return 'this message was received before'
    this.#seen.set(nonce, nowMs)
    return undefined
  }

  /** Nonces come in the order of time, so the oldest are first. */
  #forget(nowMs: number): void {
    for (const [nonce, seenMs] of this.#seen) {
      if (nowMs - seenMs <= 2 * WINDOW_MS) return
      this.#seen.delete(nonce)
    }
  }
}

function mac(secret: string, signed: Signed, stamp: { readonly time: string; readonly nonce: string }): string {
  const digest = createHash('sha256').update(signed.body).digest('base64url')
  const text = [signed.method, signed.path, stamp.time, stamp.nonce, digest].join('\n')
  return createHmac('sha256', secret).update(text).digest('base64url')
}

function equal(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))
}
