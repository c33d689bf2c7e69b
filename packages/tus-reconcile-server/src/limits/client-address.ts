import { isIP, isIPv4 } from 'node:net'
import type { TusRequest } from '../tus-request.js'

/**
 * Where a request comes from, as one name for limits: an IPv4 address, or the network of an IPv6 one (its first 64
 * bits: who has one address there has all). What proxies add is read only where the operator trusts it
 * (`respectForwardedHeaders`), and of several the last: that one was added by the proxy in front of this server.
 * `undefined` where nothing is known, as under `handleWeb`.
 */
export function clientAddress(req: TusRequest, respectForwarded: boolean): string | undefined {
  const forwarded = respectForwarded ? forwardedFor(req) : undefined
  return networkOf(forwarded) ?? networkOf(req.runtime?.node?.req?.socket.remoteAddress)
}

function forwardedFor(req: TusRequest): string | undefined {
  const standard = req.headers.get('forwarded')?.split(',').at(-1)
  const named = /(?:^|;)\s*for="?([^";,]+)"?/i.exec(standard ?? '')?.[1]
  return withoutPort(named ?? req.headers.get('x-forwarded-for')?.split(',').at(-1) ?? '')
}

/** `192.0.2.1:80`, `[2001:db8::1]:80` and what has no port. */
function withoutPort(text: string): string {
  const trimmed = text.trim()
  const bracketed = /^\[([^\]]*)\]/.exec(trimmed)?.[1]
  if (bracketed !== undefined) return bracketed
  return isIP(trimmed) ? trimmed : trimmed.replace(/:\d{1,5}$/, '')
}

function networkOf(address: string | undefined): string | undefined {
  const bare = address?.replace(/%.*$/, '').toLowerCase() ?? ''
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(bare)?.[1] ?? bare
  if (isIPv4(mapped)) return mapped
  if (!isIP(bare)) return undefined
  const [head = '', tail = ''] = bare.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === '' ? [] : tail.split(':')
  const zeros = bare.includes('::') ? Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0') : []
  const groups = [...before, ...zeros, ...after].slice(0, 4)
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`
}
