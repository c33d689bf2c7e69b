import { createHash } from 'node:crypto'
import { encodeDigest } from 'tus-reconcile-protocol'
import type { Digester } from '../orchestration/ports.js'

/** Longer than any block: a digest's key is its place in the buffer. */
const PLACE = 2 ** 20

/** By buffer that never changes: the digests of what was hashed of it. */
const remembered = new WeakMap<ArrayBufferLike, Map<number, Uint8Array>>()

/** These bytes never change: their digests are computed once. A simulation hashes the same blocks for hours. */
export function rememberDigestsOf(bytes: Uint8Array): void {
  remembered.set(bytes.buffer, new Map())
}

export function sha256Of(bytes: Uint8Array): Uint8Array {
  const known = remembered.get(bytes.buffer)
  const key = bytes.byteOffset * PLACE + bytes.length
  const digest = known?.get(key)
  if (digest) return digest
  const fresh = new Uint8Array(createHash('sha256').update(bytes).digest())
  known?.set(key, fresh)
  return fresh
}

/** The digest of a block as it travels. */
export function leafOf(bytes: Uint8Array): string {
  return encodeDigest(sha256Of(bytes))
}

export const sha256: Digester = { digest: async (bytes) => sha256Of(bytes) }

/** `bytes` behind `pieces`: what lies together in one buffer stays one piece, so that nothing is copied. */
export function addPiece(pieces: readonly Uint8Array[], bytes: Uint8Array): readonly Uint8Array[] {
  const last = pieces.at(-1)
  if (!last || last.buffer !== bytes.buffer || last.byteOffset + last.length !== bytes.byteOffset)
    return [...pieces, bytes]
  return [...pieces.slice(0, -1), new Uint8Array(last.buffer, last.byteOffset, last.length + bytes.length)]
}

export function joinPieces(pieces: readonly Uint8Array[]): Uint8Array {
  const [first, second] = pieces
  if (first && !second) return first
  const joined = new Uint8Array(lengthOf(pieces))
  let at = 0
  for (const piece of pieces) {
    joined.set(piece, at)
    at += piece.length
  }
  return joined
}

export function lengthOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0)
}
