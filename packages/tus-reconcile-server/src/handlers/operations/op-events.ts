import type { EventsRequest } from 'tus-reconcile-protocol'
import { addressOf } from '../exchange/admission.js'
import { answerHeaders } from '../exchange/answer.js'
import type { Exchange, Site } from '../exchange/site.js'
import { isBusyClient } from './busy-clients.js'

/** A reader that leaves this much unread is cut: it comes back with its last id (spec: PROTOCOL). */
const MAX_PENDING_BYTES = 1_048_576
/** A sign of life each second while sessions are open, each five seconds otherwise (proxies close what is silent). */
const BUSY_BEAT_MS = 1000
const IDLE_BEATS = 5

/** The event stream of one client: the answer to a POST, so that it has CORS and hooks as any other. @throws Refusal */
export function events(site: Site, exchange: Exchange, request: EventsRequest): Response {
  const release = site.limits.admitStream(addressOf(site, exchange.req))
  const headers = answerHeaders(site, exchange, {
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-store',
    'X-Accel-Buffering': 'no',
  })
  const stream = new ReadableStream<Uint8Array>(
    new EventSource(site, request, release),
    new ByteLengthQueuingStrategy({ highWaterMark: MAX_PENDING_BYTES }),
  )
  return new Response(stream, { status: 200, headers })
}

/** What a stream reads from. Whatever ends it, nothing of it is left. */
class EventSource implements UnderlyingDefaultSource<Uint8Array> {
  readonly #site: Site
  readonly #request: EventsRequest
  readonly #release: () => void
  readonly #encoder = new TextEncoder()
  #end: (how: 'closed' | 'cut' | 'gone') => void = () => {}

  constructor(site: Site, request: EventsRequest, release: () => void) {
    this.#site = site
    this.#request = request
    this.#release = release
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    const site = this.#site
    const { client, lastEventId } = this.#request
    const send = (text: string) => {
      controller.enqueue(this.#encoder.encode(text))
      if ((controller.desiredSize ?? 0) < 0) this.#end('cut')
    }
    const close = () => this.#end('closed')
    const unsubscribe = site.hub.subscribe(client, lastEventId, { send, replaced: close })
    const beats = startBeats(site, client, send)
    site.closing.addEventListener('abort', close)
    const ended = site.metrics.streamOpened()
    this.#end = (how) => {
      this.#end = () => {}
      site.closing.removeEventListener('abort', close)
      clearInterval(beats)
      unsubscribe()
      ended()
      this.#release()
      if (how === 'closed') controller.close()
      else if (how === 'cut') controller.error(new Error('the reader of events is too slow'))
    }
    send(': hb\n\n')
  }

  cancel(): void {
    this.#end('gone')
  }
}

function startBeats(site: Site, client: string, send: (text: string) => void): ReturnType<typeof setInterval> {
  let beat = 0
  return setInterval(() => {
    if (++beat % IDLE_BEATS === 0 || isBusyClient(site.groups, client)) send(': hb\n\n')
  }, BUSY_BEAT_MS)
}
