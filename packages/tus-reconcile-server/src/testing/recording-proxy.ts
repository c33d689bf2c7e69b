import { createServer, type Server as HttpServer, type IncomingHttpHeaders, request } from 'node:http'
import { listen } from './server.js'

/** A request that was answered, as it went over the wire. */
export interface Recorded {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** Somebody on the way to a store: passes everything on, and keeps it. */
export class RecordingProxy {
  readonly requests: Recorded[] = []
  readonly #http: HttpServer
  #endpoint = ''
  #waiting: (() => void)[] = []

  private constructor(target: string) {
    this.#http = createServer((req, res) => {
      const { method, headers } = req
      const pieces: Buffer[] = []
      req.on('data', (piece) => pieces.push(piece))
      const onward = request(target, { method, headers, agent: false }, (answer) => {
        this.#keep({ headers, body: Buffer.concat(pieces).toString() })
        res.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(res)
      })
      onward.on('error', () => res.destroy())
      req.pipe(onward)
    })
  }

  static async start(target: string): Promise<RecordingProxy> {
    const proxy = new RecordingProxy(target)
    proxy.#endpoint = `http://127.0.0.1:${await listen(proxy.#http, 0)}${new URL(target).pathname}`
    return proxy
  }

  get endpoint(): string {
    return this.#endpoint
  }

  /** The first request whose body passes. */
  async recorded(test: (body: string) => boolean): Promise<Recorded> {
    for (;;) {
      const found = this.requests.find(({ body }) => test(body))
      if (found) return found
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  close(): Promise<void> {
    this.#http.closeAllConnections()
    return new Promise((resolve) => this.#http.close(() => resolve()))
  }

  #keep(request: Recorded): void {
    this.requests.push(request)
    for (const wake of this.#waiting.splice(0)) wake()
  }
}
