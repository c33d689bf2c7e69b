import type { HeaderRequest, HeaderSource } from '../orchestration/options.js'

type Headers = Readonly<Record<string, string>>

/** Headers of one request, and after how many renewals they were asked for. */
export interface GivenHeaders {
  readonly headers: Headers
  readonly renewals: number
}

/**
 * What came of a refusal: others were asked for, and the request may be sent again; the ones asked for were refused too;
 * or there is nobody to ask, the headers being fixed.
 */
export type Renewal = 'renewed' | 'refused' | 'fixed'

/** Different credentials that are refused one after the other: so many, and no more are asked for (guess). */
const MAX_REFUSALS = 3

/** The application's headers function failed: its network, or a bug of its own. */
export class HeadersError extends Error {
  constructor(cause: unknown) {
    super(`the headers function failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.name = 'HeadersError'
  }
}

/**
 * The headers of one server. When it refuses them (401, 403) the application is asked for others: once, however many
 * requests wait, and nothing is sent meanwhile. The same refused twice in a row are not sent a third time.
 */
export class Credentials {
  readonly #source: HeaderSource
  #renewals = 0
  #renewing: Promise<void> | undefined
  /** By kind of request: headers refused since the last that were not, as text. */
  readonly #refused = new Map<string, string[]>()

  constructor(source: HeaderSource) {
    this.#source = source
  }

  /** Waits for a renewal under way. @throws HeadersError */
  async give(request: HeaderRequest): Promise<GivenHeaders> {
    while (this.#renewing) await this.#renewing.catch(() => {})
    const renewals = this.#renewals
    return { headers: await this.#ask(request), renewals }
  }

  /** A request of this kind was not refused. */
  accepted(kind: string): void {
    this.#refused.delete(kind)
  }

  /** @throws HeadersError when the application could not be asked: the next refusal asks again */
  async refused(given: GivenHeaders, o: { kind: string; request: HeaderRequest; status: number }): Promise<Renewal> {
    if (typeof this.#source !== 'function') return 'fixed'
    const text = JSON.stringify(given.headers)
    const before = this.#refused.get(o.kind) ?? []
    const isOld = given.renewals < this.#renewals || this.#renewing !== undefined
    if (!isOld && (before.includes(text) || before.length + 1 >= MAX_REFUSALS)) return 'refused'
    if (!isOld) this.#renewing = this.#renew({ ...o.request, refused: { status: o.status } })
    await this.#renewing
    this.#refused.set(o.kind, [...new Set(this.#refused.get(o.kind)).add(text)])
    return 'renewed'
  }

  async #renew(request: HeaderRequest): Promise<void> {
    try {
      await this.#ask(request)
      this.#renewals += 1
    } finally {
      this.#renewing = undefined
    }
  }

  async #ask(request: HeaderRequest): Promise<Headers> {
    if (typeof this.#source !== 'function') return this.#source
    try {
      return await this.#source(request)
    } catch (error) {
      throw new HeadersError(error)
    }
  }
}
