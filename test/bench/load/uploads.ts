import { createHash, randomBytes } from 'node:crypto'
import { BLOCK_SIZE, encodeDigest, merkleRoot } from 'tus-reconcile-protocol'
import { BYTES, newId, send, storeIdOf, TUS, WireGroup } from './wire.js'

/** Entries of a list in an operation (spec: protocol, P44). */
const CLAIMED_AT_ONCE = 4096
const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()

/** The bytes of every upload, and their digests: made once, for only the server's work is measured. */
let source: { readonly bytes: Buffer; readonly leaves: readonly string[]; readonly root: string } | undefined

export async function prepare({ size }: { size: number }): Promise<void> {
  const bytes = Buffer.allocUnsafe(size)
  for (let at = 0; at < size; at += 2 ** 24) randomBytes(Math.min(2 ** 24, size - at)).copy(bytes, at)
  const digests: Buffer[] = []
  for (let at = 0; at < size; at += BLOCK_SIZE) digests.push(sha256(bytes.subarray(at, at + BLOCK_SIZE)))
  source = { bytes, leaves: digests.map(encodeDigest), root: encodeDigest(await merkleRoot(digests, size, sha256)) }
}

/** Equal pieces of whole blocks, one for each connection. */
function piecesOf(connections: number): { readonly start: number; readonly end: number }[] {
  const size = prepared().bytes.length
  return Array.from({ length: connections }, (_, i) => ({
    start: (size / connections) * i,
    end: (size / connections) * (i + 1),
  }))
}

function prepared(): NonNullable<typeof source> {
  if (!source) throw new Error('prepare the source first')
  return source
}

/** One plain upload per connection, each in one creation with its bytes. Milliseconds until the last is acknowledged. */
export async function uploadPlain({
  endpoint,
  connections,
}: {
  endpoint: string
  connections: number
}): Promise<number> {
  const began = performance.now()
  const urls = await Promise.all(
    piecesOf(connections).map(async ({ start, end }) => {
      const headers = { ...BYTES, 'Upload-Length': String(end - start) }
      return String((await send('POST', endpoint, headers, prepared().bytes.subarray(start, end))).headers.location)
    }),
  )
  const tookMs = performance.now() - began
  await Promise.all(urls.map((url) => send('DELETE', url, TUS)))
  return tookMs
}

export interface PartitionedTimes {
  /** Until the file is committed: bodies, claims, commit. */
  readonly totalMs: number
  readonly commitMs: number
  /** Of the file: its last part is the name in the store. */
  readonly url: string
}

/** One file in as many partitions as connections. It stays until `remove`. */
export async function uploadPartitioned(to: { endpoint: string; connections: number }): Promise<PartitionedTimes> {
  const { bytes, leaves, root } = prepared()
  const file = new WireGroup(to.endpoint, await storeIdOf(to.endpoint), { size: bytes.length })
  const began = performance.now()
  await Promise.all(
    piecesOf(to.connections).map(async ({ start, end }) => {
      const session = newId()
      const headers = { ...BYTES, ...file.creation(session, start, end) }
      await send('POST', to.endpoint, headers, bytes.subarray(start, end))
      for (let at = start; at < end; at += CLAIMED_AT_ONCE * BLOCK_SIZE) {
        const claimed = leaves.slice(at / BLOCK_SIZE, Math.min(end / BLOCK_SIZE, at / BLOCK_SIZE + CLAIMED_AT_ONCE))
        await file.operate({ op: 'claim', claims: [{ session, start: at, leaves: claimed }] })
      }
    }),
  )
  const commitBegan = performance.now()
  const committed = await file.operate({ op: 'commit', size: bytes.length, root })
  const ended = performance.now()
  const url = String(JSON.parse(committed.text).url)
  return { totalMs: ended - began, commitMs: ended - commitBegan, url }
}

export async function remove({ url }: { url: string }): Promise<void> {
  await send('DELETE', url, TUS)
}
