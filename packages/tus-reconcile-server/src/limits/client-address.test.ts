import { expect, test } from 'vitest'
import { clientAddress } from './client-address.js'

function from(remoteAddress: string | undefined, headers: Record<string, string> = {}) {
  const req = new Request('http://localhost/files', { headers })
  return remoteAddress === undefined
    ? req
    : Object.assign(req, { runtime: { node: { req: { socket: { remoteAddress } } } } })
}

/** Only what is read of a request is there. */
function addressOf(remote: string | undefined, respect: boolean, headers?: Record<string, string>): string | undefined {
  return clientAddress(from(remote, headers) as unknown as Parameters<typeof clientAddress>[0], respect)
}

test('an IPv4 address is itself, of an IPv6 one the network counts', () => {
  expect(addressOf('192.0.2.7', false)).toBe('192.0.2.7')
  expect(addressOf('::ffff:192.0.2.7', false)).toBe('192.0.2.7')
  expect(addressOf('2001:db8:1:2:3:4:5:6', false)).toBe('2001:db8:1:2::/64')
  expect(addressOf('2001:DB8::1', false)).toBe('2001:db8:0:0::/64')
  expect(addressOf('fe80::1%eth0', false)).toBe('fe80:0:0:0::/64')
  expect(addressOf('::1', false)).toBe('0:0:0:0::/64')
  expect(addressOf(undefined, false)).toBeUndefined()
})

test('what proxies say counts only where the operator trusts it, and then the last of them', () => {
  const spoofed = { 'X-Forwarded-For': '203.0.113.1, 198.51.100.9' }
  expect(addressOf('192.0.2.7', false, spoofed)).toBe('192.0.2.7')
  expect(addressOf('192.0.2.7', true, spoofed)).toBe('198.51.100.9')
  expect(addressOf('192.0.2.7', true, { Forwarded: 'for=203.0.113.1, for="[2001:db8::9]:4711";proto=https' })).toBe(
    '2001:db8:0:0::/64',
  )
  expect(addressOf('192.0.2.7', true, { Forwarded: 'proto=https;for=198.51.100.9:80' })).toBe('198.51.100.9')
})

test('a forwarded name that is no address is not taken: it could be as long and as new as a stranger likes', () => {
  for (const name of ['unknown', '_hidden', 'x'.repeat(5000), '1.2.3', '[::1', '']) {
    expect(addressOf('192.0.2.7', true, { 'X-Forwarded-For': name })).toBe('192.0.2.7')
    expect(addressOf('192.0.2.7', true, { Forwarded: `for="${name}"` })).toBe('192.0.2.7')
  }
})
