import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { TUS_VERSION } from 'tus-reconcile-protocol'
import { PEER_CONTENT_TYPE, type PeerMessage } from './peer-messages.js'
import { SIGNATURE_HEADER, sign } from './signature.js'

/** Answers of peers that are no file's bytes stay below this. */
const MAX_ANSWER_BYTES = 4_194_304

/** What ends a call: this long without a byte, or the signal. */
interface Limits {
  readonly idleMs: number
  readonly signal?: AbortSignal
}

export interface PeerAnswer {
  readonly status: number
  readonly text: string
  readonly retryAfter: string | null
}

/** Speaks to one peer at its internal address: signed, no redirects, every wait bounded. */
export class PeerClient {
  readonly endpoint: string
  readonly #url: URL
  readonly #secret: string
  readonly #agent: HttpAgent
  readonly #secure: boolean

  constructor(peer: { readonly endpoint: string; readonly internalEndpoint: string; readonly secret: string }) {
    this.endpoint = peer.endpoint
    this.#url = new URL(peer.internalEndpoint)
    this.#secret = peer.secret
    this.#secure = this.#url.protocol === 'https:'
    this.#agent = new (this.#secure ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets: 32, timeout: 60_000 })
  }

  async send(message: PeerMessage, limits: Limits): Promise<PeerAnswer> {
    const response = await this.#post(message, limits)
    const chunks: Uint8Array[] = []
    let bytes = 0
    for await (const chunk of response) {
      bytes += chunk.length
      if (bytes > MAX_ANSWER_BYTES) throw new Error('the answer of a peer is too long')
      chunks.push(chunk)
    }
    return {
      status: response.statusCode ?? 0,
      text: Buffer.concat(chunks).toString('utf8'),
      retryAfter: response.headers['retry-after'] ?? null,
    }
  }

  /** The bytes of an answer as they come; throws unless its status is 200. */
  async *stream(message: PeerMessage, limits: Limits): AsyncGenerator<Uint8Array> {
    const response = await this.#post(message, limits)
    if (response.statusCode !== 200) {
      response.resume()
      throw new PeerStatusError(response.statusCode ?? 0)
    }
    yield* response
  }

  close(): void {
    this.#agent.destroy()
  }

  /** Once more on a kept connection that turns out to be closed: every message may be said twice. */
  async #post(message: PeerMessage, limits: Limits): Promise<IncomingMessage> {
    const first = await this.#postOnce(message, limits)
    if (first !== 'stale') return first
    const second = await this.#postOnce(message, limits)
    if (second === 'stale') throw new Error('the peer closes every connection')
    return second
  }

  #postOnce(message: PeerMessage, limits: Limits): Promise<IncomingMessage | 'stale'> {
    const body = JSON.stringify(message)
    return new Promise((resolve, reject) => {
      const request = (this.#secure ? httpsRequest : httpRequest)(this.#url, this.#options(body, limits))
      // a connection that is being made counts as idle too
      const connecting = setTimeout(() => request.destroy(new Error('the peer did not answer in time')), limits.idleMs)
      request.once('timeout', () => request.destroy(new Error('the peer fell silent')))
      request.once('error', (error: NodeJS.ErrnoException) => {
        clearTimeout(connecting)
        if (request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE')) resolve('stale')
        else reject(error)
      })
      request.once('response', (response) => {
        clearTimeout(connecting)
        // redirects are not followed: a peer is where its operator said
        resolve(response)
      })
      request.end(body)
    })
  }

  #options(body: string, limits: Limits): RequestOptions {
    const signed = { method: 'POST', path: this.#url.pathname, body }
    return {
      method: 'POST',
      agent: this.#agent,
      headers: {
        'Tus-Resumable': TUS_VERSION,
        'Content-Type': PEER_CONTENT_TYPE,
        'Content-Length': Buffer.byteLength(body),
        [SIGNATURE_HEADER]: sign(this.#secret, signed, Date.now()),
      },
      timeout: limits.idleMs,
      ...(limits.signal ? { signal: limits.signal } : {}),
    }
  }
}

export class PeerStatusError extends Error {
  readonly status: number
  constructor(status: number) {
    super(`the peer answered ${status}`)
    this.status = status
  }
}
