import { QueueRoom } from './queue-room.js'
import type { ObservedRequest } from './request-observer.js'

/** What a link has carried since it was opened; a snapshot. */
export type LinkCounters = {
  /** All bytes that left the link towards the server. */
  readonly upBytes: number
  /** All bytes that left the link towards the client. */
  readonly downBytes: number
  /**
   * Of `upBytes`, those of upload bodies: PATCH, and POST with Content-Type application/offset+octet-stream; heads and
   * chunk framing are not in it. HTTP/1.1 in the clear, or behind the link's own TLS: there it is what its proxy passed on.
   */
  readonly bodyBytesUp: number
  /** Requests whose head left the link, by method; OPTIONS too. Where they can be read, as above. */
  readonly requests: Readonly<Record<string, number>>
  /** Connections accepted, also those that were reset at once. */
  readonly connections: number
  /** Of them, those that spoke HTTP/2 to the link's own TLS. */
  readonly http2Connections: number
  /** Of `requests`, those by HTTP/2. */
  readonly http2Requests: number
  /** Of `bodyBytesUp`, those by HTTP/2. */
  readonly http2BodyBytesUp: number
  /** Connections that one of the sides still holds. */
  readonly openConnections: number
  /** The most that the link itself ever queued in one direction, beyond what its delay keeps travelling. */
  readonly maxQueuedBytes: number
}

/** The counting itself. */
export class LinkMeter {
  readonly upRoom: QueueRoom
  readonly downRoom: QueueRoom
  upBytes = 0
  downBytes = 0
  connections = 0
  http2Connections = 0
  #bodyBytesUp = 0
  #http2Requests = 0
  #http2BodyBytesUp = 0
  readonly #requests = new Map<string, number>()

  constructor(queueBytes: number) {
    this.upRoom = new QueueRoom(queueBytes)
    this.downRoom = new QueueRoom(queueBytes)
  }

  countHead({ method, isHttp2 }: ObservedRequest): void {
    if (isHttp2) this.#http2Requests += 1
    this.#requests.set(method, (this.#requests.get(method) ?? 0) + 1)
  }

  countBody(request: ObservedRequest, bytes: number): void {
    if (!isUploadBody(request)) return
    this.#bodyBytesUp += bytes
    if (request.isHttp2) this.#http2BodyBytesUp += bytes
  }

  snapshot(openConnections: number): LinkCounters {
    return {
      upBytes: this.upBytes,
      downBytes: this.downBytes,
      bodyBytesUp: this.#bodyBytesUp,
      requests: Object.fromEntries(this.#requests),
      connections: this.connections,
      http2Connections: this.http2Connections,
      http2Requests: this.#http2Requests,
      http2BodyBytesUp: this.#http2BodyBytesUp,
      openConnections,
      maxQueuedBytes: Math.max(this.upRoom.maxQueuedBytes, this.downRoom.maxQueuedBytes),
    }
  }
}

/** Whether what a request carries are bytes of a file. */
export function isUploadBody({ method, contentType }: Pick<ObservedRequest, 'method' | 'contentType'>): boolean {
  if (method === 'PATCH') return true
  return method === 'POST' && contentType.split(';')[0]?.trim().toLowerCase() === 'application/offset+octet-stream'
}
