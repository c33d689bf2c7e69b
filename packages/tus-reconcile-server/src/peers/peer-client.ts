import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { TUS_VERSION } from 'tus-reconcile-protocol'
import {
  type AddressedMessage,
  PEER_CONTENT_TYPE,
  type PeerMessage,
  type PeerMessageOf,
  parseFailure,
  parseHello,
} from './peer-messages.js'
import { ANYBODY, isSignedAnswer, type Receiver, SIGNATURE_HEADER, sign, type Trust } from './signature.js'

/** Answers of peers that are no file's bytes stay below this. */
const MAX_ANSWER_BYTES = 4_194_304
/** A whole answer, drop by drop, takes at most this long (guess: above any wait of ours). */
const MAX_ANSWER_MS = 30_000
/** The bytes of one `read`, 4 MiB at most; what arrived of them is kept (guess: a link of 35 kB/s). */
const MAX_STREAM_MS = 120_000
/** Of what somebody else says instead of the peer. */
const MAX_QUOTE = 200

/** What ends a call: this long without a byte, or the signal. */
interface Limits {
  readonly idleMs: number
  readonly signal?: AbortSignal
}

interface BoundedLimits extends Limits {
  readonly signal: AbortSignal
}

export interface PeerAnswer {
  readonly status: number
  readonly text: string
  readonly retryAfter: string | null
}

interface Reply {
  readonly response: IncomingMessage
  readonly trust: Trust
}

interface Letter<Message extends PeerMessage = PeerMessage> {
  readonly message: Message
  readonly to: Receiver
}

/**
 * Speaks to one peer at its internal address: signed both ways, no redirects, every wait and size bounded. What is not
 * signed by the peer (a proxy's page, a redirect, a stranger at its address) is no answer at all. Whatever is said is
 * for the store that was greeted last, and for its run.
 */
export class PeerClient {
  readonly endpoint: string
  readonly #url: URL
  readonly #secret: () => string
  readonly #agent: HttpAgent
  readonly #secure: boolean
  #greeted: Receiver | undefined

  constructor(peer: { readonly endpoint: string; readonly internalEndpoint: string; readonly secret: () => string }) {
    this.endpoint = peer.endpoint
    this.#url = new URL(peer.internalEndpoint)
    this.#secret = peer.secret
    this.#secure = this.#url.protocol === 'https:'
    this.#agent = new (this.#secure ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets: 32, timeout: 60_000 })
  }

  /** Who is there: the peer's Store-Id. */
  async greet(from: string, limits: Limits): Promise<string> {
    const receiver = await this.#hello(from, bounded(limits, MAX_ANSWER_MS))
    this.#greeted = receiver
    return receiver.storeId
  }

  async send(message: AddressedMessage, limits: Limits): Promise<PeerAnswer> {
    const within = bounded(limits, MAX_ANSWER_MS)
    return this.#sayTo(message, within, async (to) => readAnswer(await this.#post({ message, to }, within)))
  }

  /** The bytes of an answer as they come, exactly `end - start`. They are not signed: their digests are. */
  async *stream(message: PeerMessageOf<'read'>, limits: Limits): AsyncGenerator<Uint8Array> {
    const within = bounded(limits, MAX_STREAM_MS)
    const response = await this.#sayTo(message, within, async (to) => {
      const reply = await this.#post({ message, to }, within)
      if (reply.response.statusCode === 200) return reply.response
      throw new PeerStatusError((await readAnswer(reply)).status)
    })
    let left = message.end - message.start
    for await (const chunk of response) {
      left -= chunk.length
      if (left < 0) throw new Error('the peer sends more bytes than were asked for')
      yield chunk
    }
    if (left > 0) throw new Error('the peer sent fewer bytes than were asked for')
  }

  close(): void {
    this.#agent.destroy()
  }

  /** Once more to a peer that was started again since it was greeted; to another store at its address nothing. */
  async #sayTo<T>({ from }: AddressedMessage, limits: BoundedLimits, say: (to: Receiver) => Promise<T>): Promise<T> {
    this.#greeted ??= await this.#hello(from, limits)
    const known = this.#greeted
    try {
      return await say(known)
    } catch (error) {
      if (!(error instanceof OtherRunError)) throw error
      // somebody else's message may have been told so before
      const now = this.#greeted.run === known.run ? await this.#hello(from, limits) : this.#greeted
      if (now.storeId !== known.storeId || now.run === known.run) throw error
      this.#greeted = now
      return await say(now)
    }
  }

  async #hello(from: string, limits: BoundedLimits): Promise<Receiver> {
    const { status, text } = await readAnswer(await this.#post({ message: { op: 'hello', from }, to: ANYBODY }, limits))
    if (status !== 200) throw new PeerStatusError(status)
    return parseHello(text)
  }

  /** Once more on a kept connection that turns out to be closed: every message may be said twice. */
  async #post(letter: Letter, limits: BoundedLimits): Promise<Reply> {
    const first = await this.#postOnce(letter, limits)
    if (first !== 'stale') return first
    const second = await this.#postOnce(letter, limits)
    if (second === 'stale') throw new Error('the peer closes every connection')
    return second
  }

  #postOnce({ message, to }: Letter, limits: BoundedLimits): Promise<Reply | 'stale'> {
    const body = JSON.stringify(message)
    const signed = { method: 'POST', path: this.#url.pathname, to, body }
    const { header, trust } = sign(this.#secret(), signed, Date.now())
    return new Promise((resolve, reject) => {
      const request = (this.#secure ? httpsRequest : httpRequest)(this.#url, this.#options(body, header, limits))
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
        resolve({ response, trust })
      })
      request.end(body)
    })
  }

  #options(body: string, signature: string, limits: BoundedLimits): RequestOptions {
    return {
      method: 'POST',
      agent: this.#agent,
      headers: {
        'Tus-Resumable': TUS_VERSION,
        'Content-Type': PEER_CONTENT_TYPE,
        'Content-Length': Buffer.byteLength(body),
        [SIGNATURE_HEADER]: signature,
      },
      timeout: limits.idleMs,
      signal: limits.signal,
    }
  }
}

function bounded(limits: Limits, ms: number): BoundedLimits {
  const signals = [AbortSignal.timeout(ms), ...(limits.signal ? [limits.signal] : [])]
  return { idleMs: limits.idleMs, signal: AbortSignal.any(signals) }
}

/** @throws PeerAnswerError unless it is the peer's own word */
async function readAnswer({ response, trust }: Reply): Promise<PeerAnswer> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response) {
    bytes += chunk.length
    if (bytes > MAX_ANSWER_BYTES) throw new PeerAnswerError('the answer of the peer is too long')
    chunks.push(chunk)
  }
  const status = response.statusCode ?? 0
  const retryAfter = response.headers['retry-after'] ?? null
  const text = Buffer.concat(chunks).toString('utf8')
  const header = response.headers[SIGNATURE_HEADER.toLowerCase()]
  const signature = typeof header === 'string' ? header : undefined
  if (isSignedAnswer(signature, trust, { status, retryAfter, body: text })) return { status, text, retryAfter }
  const refusal = status === 401 ? parseFailure(text) : undefined
  if (refusal?.code === 'other-run') throw new OtherRunError()
  if (refusal?.code === 'not-signed') throw new PeerRefusesError(refusal.message.slice(0, MAX_QUOTE))
  const quoted = refusal ? `: ${refusal.message.slice(0, MAX_QUOTE)}` : ''
  throw new PeerAnswerError(`what answers ${status} at that address is no peer with our secret${quoted}`)
}

/** Somebody answered, but not as a peer does. */
class PeerAnswerError extends Error {}

/** Somebody says, unsigned, that our signature is none: another secret, or a wrong clock. */
export class PeerRefusesError extends PeerAnswerError {
  constructor(reason: string) {
    super(`what answers 401 at that address is no peer with our secret: ${reason}`)
  }
}

/** Somebody says, unsigned, that the message is for another run: worth a greeting, and no more. */
class OtherRunError extends PeerAnswerError {
  constructor() {
    super('what answers at that address is another run, or another server, than the one that was greeted')
  }
}

export class PeerStatusError extends Error {
  readonly status: number
  constructor(status: number) {
    super(`the peer answered ${status}`)
    this.status = status
  }
}
