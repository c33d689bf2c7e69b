import type { RequestBody } from '../../bodies/request-body.js'
import { Refusal } from '../../groups/refusal.js'

/** The text of a JSON message. @throws Refusal where it is longer, or later, than it may be, or breaks off */
export async function readMessage(
  body: RequestBody,
  most: { readonly bytes: number; readonly ms: number },
): Promise<string> {
  const endMs = performance.now() + most.ms
  const chunks: Uint8Array[] = []
  let bytes = 0
  for (;;) {
    const read = await body.read(Math.max(0, endMs - performance.now()))
    if (read.kind === 'end') return Buffer.concat(chunks).toString('utf8')
    if (read.kind === 'stalled') throw new Refusal('no-progress', 'the message did not arrive in time')
    if (read.kind === 'cut') throw new Refusal('bad-request', 'the message broke off')
    if (read.kind !== 'bytes') continue
    bytes += read.bytes.length
    if (bytes > most.bytes) throw new Refusal('message-too-large', `a message has at most ${most.bytes} bytes`)
    chunks.push(...read.bytes.pieces)
  }
}
