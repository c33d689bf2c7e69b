import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A connection that sends what it is told to, byte for byte, and keeps what comes back. */
export class RawRequest {
  readonly socket: Socket
  readonly closed: Promise<unknown>
  text = ''
  constructor(url: string, method: string, headers: Record<string, string | number>) {
    const { hostname, port, pathname } = new URL(url)
    this.socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
    // how the server ended it, in order or by a reset, is not what is tested
    this.closed = new Promise((resolve) => {
      for (const event of ['end', 'close']) this.socket.once(event, resolve)
    })
    this.socket.on('error', () => {})
    this.socket.on('data', (chunk) => {
      this.text += chunk
    })
    const lines = Object.entries({ Host: `${hostname}:${port}`, ...headers }).map(
      ([name, value]) => `${name}: ${value}`,
    )
    this.socket.write(`${method} ${pathname} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
  }

  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.text)) await once(this.socket, 'data')
  }
}
