import { Readable } from 'node:stream'
import type { HeldBytes } from '../bodies/staged-body.js'
import type { PlainRequest } from './plain-request.js'

/** A body on its way to its place. */
export interface PlainWrite {
  readonly request: PlainRequest
  /** By what its bytes are held; undefined where nothing is limited. */
  readonly held: HeldBytes | undefined
  readonly id: string
  readonly offset: number
}

/** The same bytes, as far as they are within what binds them. An announced length was looked at before. */
export function boundedBytes(stream: Readable, to: PlainWrite): Readable {
  if (!to.held && to.request.length !== undefined) return stream
  return Readable.from(countedBytes(stream, to), { objectMode: false })
}

/** @throws Refusal `too-large`, `too-many` */
async function* countedBytes(stream: Readable, { request, held }: PlainWrite): AsyncGenerator<Uint8Array, void> {
  let bytes = 0
  for await (const piece of stream.iterator({ destroyOnReturn: false })) {
    bytes += piece.length
    request.bounds.refuseLong(bytes)
    held?.grow(piece.length)
    yield piece
  }
}
