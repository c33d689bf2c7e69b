import { connect } from 'node:net'

/** A request as it stands on the wire, however wrong. Characters are bytes (latin1). */
export interface RawRequest {
  readonly method: string
  readonly target: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string
}

export interface RawReply {
  /** Undefined where the connection ended without an answer. */
  readonly status: number | undefined
  readonly head: string
  readonly body: string
}

/** No server of ours may keep a request waiting for longer, whatever it is. */
const ANSWER_MS = 15_000

/** Whether the announced length is that of the body: nothing more is to come. */
export function isWhole({ headers, body }: RawRequest): boolean {
  const announced = headers.filter(([name]) => /^(content-length|transfer-encoding)$/i.test(name))
  return announced.length === 1 && announced[0]?.[1] === String(body.length)
}

/** Sends the request over a connection of its own, cuts it where it is not whole, and reads until the other side ends. */
export function sendRaw(origin: URL, request: RawRequest): Promise<RawReply> {
  const lines = request.headers.map(([name, value]) => `${name}: ${value}\r\n`)
  const text = `${request.method} ${request.target} HTTP/1.1\r\n${lines.join('')}\r\n${request.body}`
  return new Promise((resolve, reject) => {
    const socket = connect(Number(origin.port), origin.hostname)
    const pieces: Buffer[] = []
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new Error(`no end of the answer: ${request.method} ${request.target.slice(0, 100)}`))
    }, ANSWER_MS)
    socket.on('data', (piece) => pieces.push(piece))
    // a reset after an early answer is an end as well
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(parse(Buffer.concat(pieces).toString('latin1')))
    })
    socket.write(text, 'latin1')
    if (!isWhole(request)) socket.end()
  })
}

function parse(text: string): RawReply {
  const [head = '', ...rest] = text.split('\r\n\r\n')
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]
  return { status: status === undefined ? undefined : Number(status), head, body: rest.join('\r\n\r\n') }
}
