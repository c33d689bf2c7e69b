import { expect, test } from 'vitest'
import { newId } from '../testing/client.js'
import { ANYBODY, isSignedAnswer, SignatureVerifier, sign, signAnswer } from './signature.js'

const called = { method: 'POST', path: '/files', body: '{"op":"hello"}' }
const storeId = newId()
const NOW = 1_800_000_000_000
const NEW = 'new-secret-0123456789'
const OLD = 'old-secret-0123456789'

const at = (nowMs: number) => ({ storeId, nowMs })
const faultOf = (reason: RegExp) => ({ code: 'not-signed', reason: expect.stringMatching(reason) })

/** The header of a message for the verifier's run. */
function headerFor({ run }: SignatureVerifier, secret: string): string {
  return sign(secret, { ...called, to: { storeId, run } }, NOW).header
}

test('any of the secrets verifies, once', () => {
  const verifier = new SignatureVerifier(() => [NEW, OLD])
  for (const secret of [NEW, OLD]) {
    const header = headerFor(verifier, secret)
    expect(verifier.check(header, called, at(NOW + 59_000))).toMatchObject({ secret, isForAnybody: false })
    expect(verifier.check(header, called, at(NOW + 59_001))).toEqual(faultOf(/before/))
  }
})

test('another secret, path, body or time is a fault, and a wrong clock is told with its distance', () => {
  const verifier = new SignatureVerifier(() => [NEW])
  const header = headerFor(verifier, NEW)
  expect(verifier.check(headerFor(verifier, 'x'), called, at(NOW))).toEqual(faultOf(/secret/))
  expect(verifier.check(header, { ...called, path: '/other' }, at(NOW))).toEqual(faultOf(/secret/))
  expect(verifier.check(header, { ...called, body: '{}' }, at(NOW))).toEqual(faultOf(/secret/))
  expect(verifier.check(header, called, at(NOW + 61_000))).toEqual(faultOf(/61 s behind this server's, at most 60 s/))
  expect(verifier.check(header, called, at(NOW - 75_000))).toEqual(faultOf(/75 s ahead of this server's/))
  expect(verifier.check(null, called, at(NOW))).toEqual(faultOf(/signs/))
  expect(verifier.check(header.replace(/s=./, 's=_'), called, at(NOW))).toEqual(faultOf(/secret/))
  expect(verifier.check(header, called, at(NOW))).toMatchObject({ secret: NEW })
})

test('what is for another run or store is a fault, whoever has signed it, and a run cannot be left out or put in', () => {
  const [verifier, other] = [new SignatureVerifier(() => [NEW]), new SignatureVerifier(() => [NEW])]
  expect(verifier.run).not.toBe(other.run)
  for (const secret of [NEW, 'x']) {
    expect(verifier.check(headerFor(other, secret), called, at(NOW))).toMatchObject({ code: 'other-run' })
  }
  const header = headerFor(verifier, NEW)
  expect(verifier.check(header, called, { storeId: newId(), nowMs: NOW })).toEqual(faultOf(/secret/))
  expect(verifier.check(header.replace(/r=[^,]+/, 'r='), called, at(NOW))).toEqual(faultOf(/secret/))
  const greeting = sign(NEW, { ...called, to: ANYBODY }, NOW).header
  expect(verifier.check(greeting.replace('r=', `r=${verifier.run}`), called, at(NOW))).toEqual(faultOf(/secret/))
  expect(verifier.check(greeting, called, at(NOW))).toMatchObject({ secret: NEW, isForAnybody: true })
})

test('secrets are asked for at every message', () => {
  let secrets = [OLD]
  const verifier = new SignatureVerifier(() => secrets)
  expect(verifier.check(headerFor(verifier, NEW), called, at(NOW))).toEqual(faultOf(/secret/))
  secrets = [OLD, NEW]
  expect(verifier.check(headerFor(verifier, NEW), called, at(NOW))).toMatchObject({ secret: NEW })
  secrets = [NEW]
  expect(verifier.check(headerFor(verifier, OLD), called, at(NOW))).toEqual(faultOf(/secret/))
})

test('an answer is signed for its request alone: another request, status, delay or body is not it', () => {
  const { trust } = sign(NEW, { ...called, to: ANYBODY }, NOW)
  const answer = { status: 503, retryAfter: '1', body: '{}' }
  const header = signAnswer(trust, answer)
  expect(isSignedAnswer(header, trust, answer)).toBe(true)
  expect(isSignedAnswer(header, sign(NEW, { ...called, to: ANYBODY }, NOW).trust, answer)).toBe(false)
  expect(isSignedAnswer(header, { ...trust, secret: OLD }, answer)).toBe(false)
  for (const other of [{ status: 200 }, { retryAfter: null }, { body: '{"a":1}' }]) {
    expect(isSignedAnswer(header, trust, { ...answer, ...other })).toBe(false)
  }
  expect(isSignedAnswer(undefined, trust, answer)).toBe(false)
})

test('the signature that a verifier trusts is the one that the sender waits for an answer over', () => {
  const verifier = new SignatureVerifier(() => [NEW])
  const { header, trust } = sign(NEW, { ...called, to: ANYBODY }, NOW)
  expect(verifier.check(header, called, at(NOW))).toMatchObject(trust)
})
