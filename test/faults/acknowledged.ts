import { B, type Reply } from '../conformance/wire-client.js'

/** What a server has acknowledged of one file: it holds after any crash. */
export class Acknowledged {
  /** Bytes of each session, by its id. */
  readonly offsets = new Map<string, number>()
  /** Blocks that are verified. */
  readonly blocks = new Set<number>()
  isCommitted = false

  offset(session: string, offset: number): void {
    this.offsets.set(session, Math.max(offset, this.offsets.get(session) ?? 0))
  }

  /** Any answer about a session tells its offset. */
  answer(session: string, reply: Pick<Reply, 'headers'>): void {
    const text = reply.headers.get('upload-offset')
    if (text !== null) this.offset(session, Number(text))
  }

  verified(ranges: unknown): void {
    for (const [start, end] of rangesOf(ranges)) {
      for (let index = start / B; index * B < end; index++) this.blocks.add(index)
    }
  }
}

/** Ranges as they travel in JSON. */
export function rangesOf(json: unknown): readonly (readonly [start: number, end: number])[] {
  if (!Array.isArray(json)) throw new Error(`no ranges: ${JSON.stringify(json)}`)
  return json.map(([start, end]): [number, number] => [Number(start), Number(end)])
}

/** What lies between the ranges of a file. */
export function missingOf(json: unknown, size: number): [start: number, end: number][] {
  const missing: [number, number][] = []
  let at = 0
  for (const [start, end] of rangesOf(json)) {
    if (start > at) missing.push([at, start])
    at = end
  }
  if (at < size) missing.push([at, size])
  return missing
}
