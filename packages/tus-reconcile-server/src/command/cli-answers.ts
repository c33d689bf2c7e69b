import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ReconcileExtension } from '../reconcile-options.js'
import { HEALTH_PATH, METRICS_PATH } from './cli-options.js'

type Observed = Pick<ReconcileExtension, 'health' | 'metrics'>

/** What the command answers itself: its health and its figures. Returns whether the request was one of these. */
export function answerOperator(extension: Observed, req: IncomingMessage, res: ServerResponse): boolean {
  const path = req.url?.split('?')[0]
  if (path !== HEALTH_PATH && path !== METRICS_PATH) return false
  if (req.method !== 'GET' && req.method !== 'HEAD') {
    res.writeHead(405, { Allow: 'GET, HEAD' }).end()
  } else if (path === HEALTH_PATH) {
    const health = extension.health()
    send(res, health.state === 'ready' ? 200 : 503, { type: 'application/json', text: JSON.stringify(health) })
  } else {
    extension.metrics().then(
      ({ contentType, text }) => send(res, 200, { type: contentType, text }),
      () => res.writeHead(500).end(),
    )
  }
  return true
}

function send(res: ServerResponse, status: number, body: { readonly type: string; readonly text: string }): void {
  const headers = { 'Content-Type': body.type, 'Cache-Control': 'no-store' }
  // Node leaves the body of an answer to HEAD out by itself
  res.writeHead(status, status === 503 ? { ...headers, 'Retry-After': '1' } : headers).end(body.text)
}
