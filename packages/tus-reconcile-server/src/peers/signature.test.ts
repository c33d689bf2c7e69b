import { expect, test } from 'vitest'
import { SignatureVerifier, sign } from './signature.js'

const signed = { method: 'POST', path: '/files', body: '{"op":"hello"}' }
const NOW = 1_800_000_000_000

test('any of the secrets verifies, once', () => {
  const verifier = new SignatureVerifier(['new-secret-0123456789', 'old-secret-0123456789'])
  for (const secret of ['new-secret-0123456789', 'old-secret-0123456789']) {
    const header = sign(secret, signed, NOW)
    expect(verifier.fault(header, signed, NOW + 59_000)).toBeUndefined()
    expect(verifier.fault(header, signed, NOW + 59_001)).toMatch(/before/)
  }
})

test('another secret, path, body or time is a fault', () => {
  const verifier = new SignatureVerifier(['new-secret-0123456789'])
  const header = sign('new-secret-0123456789', signed, NOW)
  expect(verifier.fault(sign('x', signed, NOW), signed, NOW)).toMatch(/secret/)
  expect(verifier.fault(header, { ...signed, path: '/other' }, NOW)).toMatch(/secret/)
  expect(verifier.fault(header, { ...signed, body: '{}' }, NOW)).toMatch(/secret/)
  expect(verifier.fault(header, signed, NOW + 61_000)).toMatch(/clocks/)
  expect(verifier.fault(header, signed, NOW - 61_000)).toMatch(/clocks/)
  expect(verifier.fault(null, signed, NOW)).toMatch(/signs/)
  expect(verifier.fault(header.replace(/s=./, 's=_'), signed, NOW)).toMatch(/secret/)
  expect(verifier.fault(header, signed, NOW)).toBeUndefined()
})
