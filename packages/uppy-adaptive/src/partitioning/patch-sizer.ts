const KIB = 1024
const MIB = 1024 * KIB

/** What a server asks of PATCH bodies, bytes, whatever else is known; the last one of a file may be shorter. */
export interface HostRule {
  readonly minBytes: number
  readonly maxBytes: number
  readonly multipleBytes: number
}

export interface PatchInput {
  readonly remainingBytes: number
  /** What the path carries; undefined while nothing is known. */
  readonly goodputBytesPerSecond: number | undefined
  readonly requestRttMs: number
  /** Of the PATCHes so far. */
  readonly meanTimeBetweenFailuresMs: number
  /** Share of a broken PATCH that the server does not keep: 0 none, 1 all of it. */
  readonly lostShare: number
  /** At most: what the server or a proxy was found to take, what the last loss teaches; Infinity where nothing is known. */
  readonly mostBytes: number
  /** The application's own `chunkSize`, which replaces the computed size. */
  readonly chunkSize: number | undefined
  readonly host: HostRule | undefined
}

export interface PatchSize {
  readonly sizeBytes: number
  /** How long the PATCH should take at most, milliseconds. */
  readonly windowMs: number
  readonly reason: 'rest' | 'window' | 'initial' | 'limit' | 'host' | 'option'
}

/** DESIGN 5.3: Node's http server ends a request at 300 s, and what is acknowledged at last is seen no sooner. */
const MAX_WINDOW_MS = 120_000
/** A PATCH costs a round trip, and a window of fewer of them would be felt (guess). */
const MIN_WINDOW_MS = 2_000
/** While no rate is known; under Node's 300 s from 220 KB/s on (guess). A second PATCH costs 0.2 s of 5 at 100 Mbit/s and 40 ms (measured). */
const INITIAL_BYTES = 64 * MIB
/** Guess: the same where a server keeps nothing of what breaks off. */
const INITIAL_LOST_BYTES = 4 * MIB
/** Something is always lost: a start, at least (guess). */
const LEAST_LOST_SHARE = 0.001
/** Where a server keeps nothing, from this share on (guess). */
const KEEPS_NOTHING = 0.5
const MIN_BYTES = 256 * KIB
/** A rest that is hardly longer goes along: no PATCH of its own (guess). */
const REST_SLACK = 1.1

/**
 * Size of the next PATCH to a server without our extension: as long as DESIGN 5.3 allows, W* = sqrt(2 d M / r) where
 * failures lose work (Young 1974, Daly 2006, as for partitions), within what is known to be taken.
 */
export function decidePatchSize(input: PatchInput): PatchSize {
  const windowMs = estimateWindowMs(input)
  const { remainingBytes: rest, chunkSize, host, mostBytes } = input
  if (chunkSize !== undefined)
    return {
      sizeBytes: Math.min(rest, chunkSize, mostBytes),
      windowMs,
      reason: mostBytes < chunkSize ? 'limit' : 'option',
    }
  const wanted = wantedBytes(input, windowMs)
  const reason = input.goodputBytesPerSecond === undefined ? 'initial' : 'window'
  if (host) return { sizeBytes: Math.min(rest, fitHost(Math.min(wanted, mostBytes), host)), windowMs, reason: 'host' }
  if (Math.min(rest, wanted) > mostBytes) return { sizeBytes: mostBytes, windowMs, reason: 'limit' }
  if (rest <= wanted * REST_SLACK && rest <= mostBytes) return { sizeBytes: rest, windowMs, reason: 'rest' }
  return { sizeBytes: wanted, windowMs, reason }
}

function wantedBytes({ goodputBytesPerSecond, lostShare }: PatchInput, windowMs: number): number {
  if (goodputBytesPerSecond === undefined) return lostShare < KEEPS_NOTHING ? INITIAL_BYTES : INITIAL_LOST_BYTES
  return Math.max(MIN_BYTES, Math.floor((goodputBytesPerSecond * windowMs) / 1000))
}

function estimateWindowMs(input: PatchInput): number {
  // d: the answer's way back and the next request's first bytes' way there, and half of that for the server
  const fixedCostMs = Math.max(1, 1.5 * input.requestRttMs)
  const windowMs = Math.sqrt(
    (2 * fixedCostMs * input.meanTimeBetweenFailuresMs) / Math.max(input.lostShare, LEAST_LOST_SHARE),
  )
  return Math.min(MAX_WINDOW_MS, Math.max(MIN_WINDOW_MS, windowMs))
}

function fitHost(bytes: number, { minBytes, maxBytes, multipleBytes }: HostRule): number {
  const bounded = Math.min(maxBytes, Math.max(minBytes, bytes))
  return Math.max(minBytes, Math.floor(bounded / multipleBytes) * multipleBytes)
}

const STREAM: HostRule = { minBytes: 5 * MIB, maxBytes: 200 * MIB, multipleBytes: 256 * KIB }
const atMost = (maxBytes: number): HostRule => ({ minBytes: 1, maxBytes, multipleBytes: 1 })

/**
 * What is known of hosts by their names, from their manuals: Supabase Storage takes exactly 6 MiB, Cloudflare Stream 5 to
 * 200 MiB in multiples of 256 KiB, Google Cloud Run 32 MiB a request, Amazon's API Gateway 10 MB.
 */
const HOST_RULES: readonly { readonly host: RegExp; readonly path?: RegExp; readonly rule: HostRule }[] = [
  { host: /(^|\.)supabase\.(co|in)$/, rule: { minBytes: 6 * MIB, maxBytes: 6 * MIB, multipleBytes: 6 * MIB } },
  { host: /^api\.cloudflare\.com$/, path: /\/stream(\/|$)/, rule: STREAM },
  { host: /(^|\.)(cloudflarestream\.com|videodelivery\.net)$/, rule: STREAM },
  { host: /\.run\.app$/, rule: atMost(32 * MIB) },
  { host: /\.execute-api\.[a-z0-9-]+\.amazonaws\.com$/, rule: atMost(10_000_000) },
]

export function hostRuleOf(endpoint: string): HostRule | undefined {
  const { hostname, pathname } = new URL(endpoint)
  return HOST_RULES.find(({ host, path }) => host.test(hostname) && (path?.test(pathname) ?? true))?.rule
}
