import { type ClientRequest, type IncomingHttpHeaders, request } from 'node:http'
import { readJson } from './wire-http.js'

export interface SlowReply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly json: Readonly<Record<string, unknown>>
}

/** A request whose body the test sends piece by piece, on a connection of its own. */
export class SlowRequest {
  readonly request: ClientRequest
  readonly reply: Promise<SlowReply>
  readonly closed: Promise<void>

  constructor(method: string, url: string, headers: Record<string, string | number>) {
    this.request = request(url, { method, headers, agent: false })
    this.closed = new Promise((resolve) => this.request.once('close', () => resolve()))
    this.reply = new Promise((resolve, reject) => {
      this.request.once('error', reject)
      this.request.once('response', (response) => {
        const pieces: Buffer[] = []
        response.on('data', (piece: Buffer) => pieces.push(piece))
        response.once('error', reject)
        response.once('end', () => {
          const text = Buffer.concat(pieces).toString()
          const json = text === '' ? {} : readJson(text)
          resolve({ status: response.statusCode ?? 0, headers: response.headers, json })
        })
      })
    })
    this.reply.catch(() => {})
  }
}
