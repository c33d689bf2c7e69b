import type { GivenHeaders, Renewal } from './credentials.js'
import { Credentials } from './credentials.js'
import type { HttpAnswer, HttpCall, HttpOptions } from './http.js'
import { orAbort, sendRequest } from './http.js'

/** An answer; where it refuses the credentials, what came of asking for others. */
export interface AuthorizedAnswer extends HttpAnswer {
  readonly renewal?: Renewal | undefined
}

/** Sends one server's requests with the headers that the application gives, and asks for others when they are refused. */
export class AuthorizedSender {
  readonly #options: HttpOptions
  readonly #credentials: Credentials

  constructor(options: HttpOptions) {
    this.#options = options
    this.#credentials = new Credentials(options.headers)
  }

  /** For requests that are not sent here. @throws HeadersError */
  async headers(endpoint: string, method: string): Promise<GivenHeaders> {
    return this.#credentials.give({ endpoint, method })
  }

  /** @param onHeldBack the server refused the credentials: until others are there the application holds the request back */
  async send(call: HttpCall, onHeldBack?: () => void): Promise<AuthorizedAnswer> {
    let given: GivenHeaders = { headers: {}, renewals: 0 }
    const headers: HttpOptions['headers'] = async (request) => {
      given = await this.#credentials.give(request)
      return given.headers
    }
    const answer = await sendRequest({ ...this.#options, headers }, call)
    const { status } = answer
    if (status === 401 || status === 403) onHeldBack?.()
    return { ...answer, renewal: await orAbort(this.judge(given, { ...call, status }), call.signal) }
  }

  /** Undefined: the credentials were not refused. @throws HeadersError */
  async judge(
    given: GivenHeaders,
    o: { method: string; url: string; headers: Readonly<Record<string, string>>; status: number },
  ): Promise<Renewal | undefined> {
    // what passes in one kind of request may be refused in another: only its own success ends a row of refusals
    const kind = `${o.method} ${o.headers['Content-Type'] ?? ''}`
    if (o.status === 401 || o.status === 403) {
      const request = { endpoint: o.url, method: o.method }
      return this.#credentials.refused(given, { kind, request, status: o.status })
    }
    this.#credentials.accepted(kind)
    return undefined
  }
}
