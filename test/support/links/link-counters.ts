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
  readonly #requests = new Map<string, number>()

  constructor(queueBytes: number) {
    this.upRoom = new QueueRoom(queueBytes)
    this.downRoom = new QueueRoom(queueBytes)
  }

  countHead({ method }: ObservedRequest): void {
    this.#requests.set(method, (this.#requests.get(method) ?? 0) + 1)
  }

  countBody(request: ObservedRequest, bytes: number): void {
    if (isUploadBody(request)) this.#bodyBytesUp += bytes
  }

  snapshot(openConnections: number): LinkCounters {
    return {
      upBytes: this.upBytes,
      downBytes: this.downBytes,
      bodyBytesUp: this.#bodyBytesUp,
      requests: Object.fromEntries(this.#requests),
      connections: this.connections,
      http2Connections: this.http2Connections,
      openConnections,
      maxQueuedBytes: Math.max(this.upRoom.maxQueuedBytes, this.downRoom.maxQueuedBytes),
    }
  }
}

function isUploadBody({ method, contentType }: ObservedRequest): boolean {
  if (method === 'PATCH') return true
  return method === 'POST' && contentType.split(';')[0]?.trim().toLowerCase() === 'application/offset+octet-stream'
}
