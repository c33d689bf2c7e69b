import type { EventsRequest } from 'tus-reconcile-protocol'
import { answerHeaders } from './answer.js'
import type { Exchange, Site } from './site.js'

/** A reader that leaves this much unread is cut: it comes back with its last id (spec: PROTOCOL). */
const MAX_PENDING_BYTES = 1_048_576
/** A sign of life each second while sessions are open, each five seconds otherwise (proxies close what is silent). */
const BUSY_BEAT_MS = 1000
const IDLE_BEATS = 5

/** The event stream of one client: the answer to a POST, so that it has CORS and hooks as any other. */
export function events(site: Site, exchange: Exchange, request: EventsRequest): Response {
  const headers = answerHeaders(site, exchange, {
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-store',
    'X-Accel-Buffering': 'no',
  })
  const encoder = new TextEncoder()
  let end: (how: 'closed' | 'cut' | 'gone') => void = () => {}
  const stream = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const send = (text: string) => {
          controller.enqueue(encoder.encode(text))
          if ((controller.desiredSize ?? 0) < 0) end('cut')
        }
        const unsubscribe = site.hub.subscribe(request.client, request.lastEventId, send)
        const beats = startBeats(site, request.client, send)
        const onClosing = () => end('closed')
        site.closing.addEventListener('abort', onClosing)
        const ended = site.metrics.streamOpened()
        end = (how) => {
          end = () => {}
          site.closing.removeEventListener('abort', onClosing)
          clearInterval(beats)
          unsubscribe()
          ended()
          if (how === 'closed') controller.close()
          else if (how === 'cut') controller.error(new Error('the reader of events is too slow'))
        }
        send(': hb\n\n')
      },
      cancel() {
        end('gone')
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: MAX_PENDING_BYTES }),
  )
  return new Response(stream, { status: 200, headers })
}

function startBeats(site: Site, client: string, send: (text: string) => void): ReturnType<typeof setInterval> {
  let beat = 0
  return setInterval(() => {
    if (++beat % IDLE_BEATS === 0 || hasOpenSession(site, client)) send(': hb\n\n')
  }, BUSY_BEAT_MS)
}

function hasOpenSession(site: Site, client: string): boolean {
  for (const group of site.groups.all()) {
    if (group.hasEnded) continue
    for (const session of group.sessions.values()) {
      if (session.client === client && group.isLive(session)) return true
    }
  }
  return false
}
