import { createHash, type Hash } from 'node:crypto'
import { Refusal } from '../groups/refusal.js'
import type { TusRequest } from '../tus-request.js'
import { announcedLength } from './request-body.js'

/** What `Upload-Checksum` may name, as `Tus-Checksum-Algorithm` says, and how many bytes their digests have. */
const DIGEST_BYTES: ReadonlyMap<string, number> = new Map([
  ['sha1', 20],
  ['sha256', 32],
  ['sha512', 64],
])
export const CHECKSUM_ALGORITHMS: string = [...DIGEST_BYTES.keys()].join(',')

/** What the client says its body hashes to. */
export class Checksum {
  readonly #algorithm: string
  readonly #digest: Buffer

  constructor(algorithm: string, digest: Buffer) {
    this.#algorithm = algorithm
    this.#digest = digest
  }

  start(): Hash {
    return createHash(this.#algorithm)
  }

  /** @throws Refusal unless the whole body has gone into `hash` and is what the client means */
  check(hash: Hash): void {
    if (hash.digest().equals(this.#digest)) return
    throw new Refusal('checksum-mismatch', 'the body is not what Upload-Checksum says: nothing of it was kept')
  }
}

/**
 * The request's `Upload-Checksum`: an algorithm, a space, base64 of the digest.
 * @throws Refusal when it is not that, or when it is not the empty body's and the body is empty
 */
export function readChecksum(req: TusRequest): Checksum | undefined {
  const text = req.headers.get('upload-checksum')
  if (text === null) return undefined
  const [algorithm = '', encoded = '', ...rest] = text.split(' ')
  const length = DIGEST_BYTES.get(algorithm)
  if (length === undefined) {
    throw new Refusal('bad-request', `Upload-Checksum: the algorithm is one of ${CHECKSUM_ALGORITHMS}`)
  }
  const digest = Buffer.from(encoded, 'base64')
  if (digest.length !== length || digest.toString('base64') !== encoded || rest.length > 0) {
    throw new Refusal('bad-request', `Upload-Checksum: ${algorithm} is followed by base64 of ${length} bytes`)
  }
  const checksum = new Checksum(algorithm, digest)
  if (announcedLength(req) === 0) checksum.check(checksum.start())
  return checksum
}
