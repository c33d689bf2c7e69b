/** A request's head. Names of fields in lower case. */
export interface RequestHead {
  readonly method: string
  readonly path: string
  readonly fields: ReadonlyMap<string, string>
  /** Content-Length. */
  readonly bodyBytes: number
}

export interface RequestReaderEvents {
  readonly onHead: (head: RequestHead) => void
  readonly onBody: (piece: Uint8Array) => void
  readonly onEnd: () => void
}

/** RFC 9112 names no limit; no honest head exceeds this (guess). */
const MAX_HEAD_BYTES = 65_536

type State = { kind: 'head' } | { kind: 'body'; leftBytes: number } | { kind: 'opaque' }

/**
 * Reads along the requests of one HTTP/1.1 connection: heads with their fields, and how far bodies are. Only looks.
 * What it does not know (chunked bodies, upgrades) makes it deaf to the rest of that connection.
 */
export class RequestReader {
  readonly #events: RequestReaderEvents
  #state: State = { kind: 'head' }
  #head = ''

  constructor(events: RequestReaderEvents) {
    this.#events = events
  }

  push(bytes: Buffer): void {
    for (let at = 0; at < bytes.length && this.#state.kind !== 'opaque'; ) {
      at += this.#state.kind === 'head' ? this.#readHead(bytes, at) : this.#readBody(bytes, at, this.#state)
    }
  }

  #readHead(bytes: Buffer, at: number): number {
    const before = this.#head.length
    this.#head += bytes.toString('latin1', at)
    const end = this.#head.indexOf('\r\n\r\n')
    if (end < 0) {
      if (this.#head.length > MAX_HEAD_BYTES) this.#state = { kind: 'opaque' }
      return bytes.length - at
    }
    const head = parseHead(this.#head.slice(0, end))
    this.#head = ''
    if (!head) this.#state = { kind: 'opaque' }
    else {
      this.#state = head.bodyBytes === 0 ? { kind: 'head' } : { kind: 'body', leftBytes: head.bodyBytes }
      this.#events.onHead(head)
      if (head.bodyBytes === 0) this.#events.onEnd()
    }
    return end + 4 - before
  }

  #readBody(bytes: Buffer, at: number, state: Extract<State, { kind: 'body' }>): number {
    const piece = bytes.subarray(at, at + state.leftBytes)
    state.leftBytes -= piece.length
    if (state.leftBytes === 0) this.#state = { kind: 'head' }
    this.#events.onBody(piece)
    if (state.leftBytes === 0) this.#events.onEnd()
    return piece.length
  }
}

function parseHead(text: string): RequestHead | undefined {
  const [requestLine = '', ...lines] = text.replace(/^(\r\n)+/, '').split('\r\n')
  const [method = '', path = '', version = ''] = requestLine.split(' ')
  if (!/^HTTP\/1\.[01]$/.test(version)) return undefined
  const fields = new Map(lines.map((line): [string, string] => splitField(line)))
  if (fields.has('transfer-encoding') || fields.has('upgrade')) return undefined
  const length = fields.get('content-length') ?? '0'
  return /^\d{1,15}$/.test(length) ? { method, path, fields, bodyBytes: Number(length) } : undefined
}

function splitField(line: string): [string, string] {
  const colon = line.indexOf(':')
  return [line.slice(0, Math.max(colon, 0)).toLowerCase(), line.slice(colon + 1).trim()]
}
