import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type PeerMessage, parsePeerMessage } from '../peers/peer-messages.js'
import { SIGNATURE_HEADER, signAnswer } from '../peers/signature.js'
import { newId } from './client.js'
import { listen, SECRET } from './server.js'

/** What a message is answered with; `undefined` leaves the response to the test. */
type FakeAnswer = { readonly status?: number; readonly json: object } | undefined

/** A store of the other side whose every word is the test's. It says who it is, and signs what it says. */
export class FakePeer {
  readonly storeId: string = newId()
  run: string = newId()
  readonly messages: PeerMessage[] = []
  answer: (message: PeerMessage, res: ServerResponse) => FakeAnswer = () => ({ json: {} })
  readonly #http: HttpServer
  #waiting: (() => void)[] = []

  #endpoint = ''

  private constructor() {
    this.#http = createServer((req, res) => void this.#serve(req, res).catch(() => res.destroy()))
  }

  static async start(): Promise<FakePeer> {
    const peer = new FakePeer()
    peer.#endpoint = `http://127.0.0.1:${await listen(peer.#http, 0)}/files`
    return peer
  }

  get endpoint(): string {
    return this.#endpoint
  }

  async heard(test: (message: PeerMessage) => boolean): Promise<PeerMessage> {
    for (;;) {
      const found = this.messages.find(test)
      if (found) return found
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  close(): Promise<void> {
    this.#http.closeAllConnections()
    return new Promise((resolve) => this.#http.close(() => resolve()))
  }

  async #serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const pieces: Buffer[] = []
    for await (const piece of req) pieces.push(piece)
    const message = parsePeerMessage(Buffer.concat(pieces).toString())
    this.messages.push(message)
    for (const wake of this.#waiting.splice(0)) wake()
    const answer =
      message.op === 'hello' ? { json: { storeId: this.storeId, run: this.run } } : this.answer(message, res)
    if (!answer) return
    const { status = 200, json } = answer
    const body = JSON.stringify(json)
    const mac = /s=([\w-]+)/.exec(String(req.headers[SIGNATURE_HEADER.toLowerCase()]))?.[1] ?? ''
    const signature = signAnswer({ secret: SECRET, mac }, { status, retryAfter: null, body })
    res.writeHead(status, { 'Content-Type': 'application/json', [SIGNATURE_HEADER]: signature }).end(body)
  }
}
