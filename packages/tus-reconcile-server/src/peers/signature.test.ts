import { expect, test } from 'vitest'
import { isSignedAnswer, newNonce, SignatureVerifier, sign, signAnswer } from './signature.js'

const signed = { method: 'POST', path: '/files', body: '{"op":"hello"}' }
const NOW = 1_800_000_000_000
const NEW = 'new-secret-0123456789'
const OLD = 'old-secret-0123456789'

test('any of the secrets verifies, once', () => {
  const verifier = new SignatureVerifier(() => [NEW, OLD])
  for (const secret of [NEW, OLD]) {
    const header = sign(secret, signed, NOW)
    expect(verifier.check(header, signed, NOW + 59_000)).toMatchObject({ secret })
    expect(verifier.check(header, signed, NOW + 59_001)).toMatch(/before/)
  }
})

test('another secret, path, body or time is a fault, and a wrong clock is told with its distance', () => {
  const verifier = new SignatureVerifier(() => [NEW])
  const header = sign(NEW, signed, NOW)
  expect(verifier.check(sign('x', signed, NOW), signed, NOW)).toMatch(/secret/)
  expect(verifier.check(header, { ...signed, path: '/other' }, NOW)).toMatch(/secret/)
  expect(verifier.check(header, { ...signed, body: '{}' }, NOW)).toMatch(/secret/)
  expect(verifier.check(header, signed, NOW + 61_000)).toMatch(/61 s behind this server's, at most 60 s/)
  expect(verifier.check(header, signed, NOW - 75_000)).toMatch(/75 s ahead of this server's/)
  expect(verifier.check(null, signed, NOW)).toMatch(/signs/)
  expect(verifier.check(header.replace(/s=./, 's=_'), signed, NOW)).toMatch(/secret/)
  expect(verifier.check(header, signed, NOW)).toMatchObject({ secret: NEW })
})

test('secrets are asked for at every message', () => {
  let secrets = [OLD]
  const verifier = new SignatureVerifier(() => secrets)
  expect(verifier.check(sign(NEW, signed, NOW), signed, NOW)).toMatch(/secret/)
  secrets = [OLD, NEW]
  expect(verifier.check(sign(NEW, signed, NOW), signed, NOW)).toMatchObject({ secret: NEW })
  secrets = [NEW]
  expect(verifier.check(sign(OLD, signed, NOW), signed, NOW)).toMatch(/secret/)
})

test('an answer is signed for its request alone: another nonce, status, delay or body is not it', () => {
  const trust = { secret: NEW, nonce: newNonce() }
  const answer = { status: 503, retryAfter: '1', body: '{}' }
  const header = signAnswer(trust, answer)
  expect(isSignedAnswer(header, trust, answer)).toBe(true)
  expect(isSignedAnswer(header, { ...trust, nonce: newNonce() }, answer)).toBe(false)
  expect(isSignedAnswer(header, { ...trust, secret: OLD }, answer)).toBe(false)
  for (const other of [{ status: 200 }, { retryAfter: null }, { body: '{"a":1}' }]) {
    expect(isSignedAnswer(header, trust, { ...answer, ...other })).toBe(false)
  }
  expect(isSignedAnswer(undefined, trust, answer)).toBe(false)
})
