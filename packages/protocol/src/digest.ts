import { fromUint8Array, toUint8Array } from 'js-base64'
import type { ByteRange, RangeSet } from './byte-range.js'
import { toRangeSet } from './byte-range.js'
import { ProtocolError } from './protocol-error.js'

/** Bytes per block: the unit that is hashed, verified and owned (DESIGN 5.4). A file's last block may be shorter. */
export const BLOCK_SIZE = 262_144

/** SHA-256 of some bytes: 32 bytes. The host hands it in (node:crypto, WebCrypto, hash-wasm). */
export type Sha256 = (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>

const LEAF_PREFIX = 0x00
const NODE_PREFIX = 0x01
const ROOT_PREFIX = 0x02
/** Of a SHA-256. */
export const DIGEST_BYTES = 32

export function blockCount(sizeBytes: number): number {
  return Math.ceil(sizeBytes / BLOCK_SIZE)
}

/** The bytes of block `index` in a file of `sizeBytes`. */
export function blockRange(index: number, sizeBytes: number): ByteRange {
  return { start: index * BLOCK_SIZE, end: Math.min((index + 1) * BLOCK_SIZE, sizeBytes) }
}

export function blockFloor(offset: number): number {
  return Math.floor(offset / BLOCK_SIZE) * BLOCK_SIZE
}

/** The block boundary at or after `offset`, at most the file's end. */
export function blockCeil(offset: number, sizeBytes: number): number {
  return Math.min(Math.ceil(offset / BLOCK_SIZE) * BLOCK_SIZE, sizeBytes)
}

/** The blocks that lie whole within `range`: indices `first` to `last - 1`. */
export function wholeBlocks(range: ByteRange, sizeBytes: number): { first: number; last: number } {
  const first = Math.ceil(range.start / BLOCK_SIZE)
  const last = range.end >= sizeBytes ? blockCount(sizeBytes) : Math.floor(range.end / BLOCK_SIZE)
  return { first, last: Math.max(first, last) }
}

/** The byte ranges of some blocks, joined where they touch. */
export function rangesOfBlocks(indices: Iterable<number>, sizeBytes: number): RangeSet {
  return toRangeSet(Array.from(indices, (index) => blockRange(index, sizeBytes)))
}

/** base64url without padding, 43 characters for a SHA-256. */
export function encodeDigest(digest: Uint8Array): string {
  return fromUint8Array(digest, true)
}

/** 32 bytes have one spelling: digests are compared as texts, so the two bits that 43 characters have too many are zero. */
export const DIGEST_TEXT: RegExp = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/

/** @throws ProtocolError `bad-digest` unless `text` is base64url of exactly 32 bytes. */
export function decodeDigest(text: string): Uint8Array {
  if (!DIGEST_TEXT.test(text)) {
    throw new ProtocolError(
      'bad-digest',
      `a block digest is 43 characters of base64url, not ${JSON.stringify(text.slice(0, 60))}`,
    )
  }
  return toUint8Array(text)
}

/**
 * The digest of a whole file from the SHA-256 digests of its blocks, in order: a binary Merkle tree in which a leaf is
 * H(0x00 | block digest), a node H(0x01 | left | right), an odd node moves up unchanged, and the root is
 * H(0x02 | size as 8 bytes | block size as 4 bytes | top), both big-endian. The prefixes keep leaves, nodes and roots
 * apart (RFC 6962, section 2.1); an empty file's top is 32 zero bytes.
 */
export async function merkleRoot(
  leaves: readonly Uint8Array[],
  sizeBytes: number,
  sha256: Sha256,
): Promise<Uint8Array> {
  if (leaves.length !== blockCount(sizeBytes)) {
    throw new ProtocolError(
      'bad-digest',
      `a file of ${sizeBytes} bytes has ${blockCount(sizeBytes)} blocks, not ${leaves.length}`,
    )
  }
  return rootOfSubtrees([await merkleTop(leaves, sha256)], sizeBytes, sha256)
}

/** So many blocks from a multiple of it on make a subtree: its top can be computed as soon as they are known. */
export const SUBTREE_BLOCKS = 64

/**
 * The top of the tree over the digests of a whole file's blocks, or of a subtree's: `SUBTREE_BLOCKS` of them from a
 * multiple of it on, fewer at the file's end. 32 zero bytes for none.
 */
export async function merkleTop(leaves: readonly Uint8Array[], sha256: Sha256): Promise<Uint8Array> {
  return topOf(await Promise.all(leaves.map((leaf) => sha256(prefixed(LEAF_PREFIX, leaf)))), sha256)
}

/** The digest of a whole file, as {@link merkleRoot}'s, from the tops of its subtrees in order. */
export async function rootOfSubtrees(
  tops: readonly Uint8Array[],
  sizeBytes: number,
  sha256: Sha256,
): Promise<Uint8Array> {
  const facts = new DataView(new ArrayBuffer(12))
  facts.setBigUint64(0, BigInt(sizeBytes))
  facts.setUint32(8, BLOCK_SIZE)
  return sha256(prefixed(ROOT_PREFIX, new Uint8Array(facts.buffer), await topOf(tops, sha256)))
}

async function topOf(nodes: readonly Uint8Array[], sha256: Sha256): Promise<Uint8Array> {
  let level = nodes
  while (level.length > 1) {
    const pairs: Promise<Uint8Array>[] = []
    for (let i = 0; i < level.length; i += 2) {
      const left = level[i] ?? new Uint8Array()
      const right = level[i + 1]
      pairs.push(right ? Promise.resolve(sha256(prefixed(NODE_PREFIX, left, right))) : Promise.resolve(left))
    }
    level = await Promise.all(pairs)
  }
  return level[0] ?? new Uint8Array(DIGEST_BYTES)
}

function prefixed(prefix: number, ...parts: Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(1 + parts.reduce((sum, part) => sum + part.length, 0))
  joined[0] = prefix
  let at = 1
  for (const part of parts) {
    joined.set(part, at)
    at += part.length
  }
  return joined
}
