import { BODY_CONTENT_TYPE, formatPartitionHeader, HEADER, parseUploadLimit } from 'tus-reconcile-protocol'
import type { FailureKind } from 'upload-predictor'
import type { Attempt, AttemptOutcome } from '../orchestration/ports.js'
import { toError, UploadError } from '../orchestration/upload-error.js'
import type { HttpAnswer, HttpOptions } from './http.js'
import { AbortedError, readRetryAfter, sendRequest, tellLoad } from './http.js'
import { encodeMetadata } from './metadata.js'

/** One attempt of a session: a POST that creates it (with its first bytes), or a PATCH that goes on. */
export async function runAttempt(options: HttpOptions, endpoint: string, attempt: Attempt): Promise<AttemptOutcome> {
  try {
    const answer = await sendRequest(
      options,
      attempt.url === undefined ? creation(endpoint, attempt) : append(endpoint, attempt, attempt.url),
    )
    tellLoad(answer, attempt.onLoad)
    return readAnswer(answer, endpoint, attempt)
  } catch (error) {
    if (error instanceof AbortedError) return { kind: 'aborted' }
    // the source cannot be read: no server's fault, and no other server would help
    if (error instanceof UploadError) throw error
    return { kind: 'cut', cause: toError(error) }
  }
}

function creation(endpoint: string, attempt: Attempt): Parameters<typeof sendRequest>[1] {
  const { partition, metadata, range, body, signal, onHandedOver, onSending } = attempt
  const encoded = encodeMetadata(metadata)
  const headers: Record<string, string> = {
    'Upload-Concat': 'partial',
    // deferred, so that the planned end may still move (DESIGN 5.2)
    'Upload-Defer-Length': '1',
    [HEADER.partition]: formatPartitionHeader(partition),
    ...(encoded ? { 'Upload-Metadata': encoded } : {}),
    ...(range.end > range.start ? { 'Content-Type': BODY_CONTENT_TYPE } : {}),
  }
  return {
    method: 'POST',
    url: endpoint,
    headers,
    body: range.end > range.start ? body : undefined,
    signal,
    onHandedOver,
    onSending,
  }
}

function append(endpoint: string, attempt: Attempt, url: string): Parameters<typeof sendRequest>[1] {
  const { partition, range, body, signal, onHandedOver, onSending } = attempt
  const headers = {
    'Content-Type': BODY_CONTENT_TYPE,
    'Upload-Offset': String(range.start - partition.start),
    [HEADER.partition]: formatPartitionHeader(partition),
  }
  return { method: 'PATCH', url: onRoute(url, endpoint), headers, body, signal, onHandedOver, onSending }
}

/** The same upload by another address of its store: the last segment of the URL names it. */
function onRoute(url: string, endpoint: string): string {
  const onEndpoint = new URL(endpoint)
  onEndpoint.pathname = `${onEndpoint.pathname.replace(/\/$/, '')}/${new URL(url).pathname.split('/').at(-1) ?? ''}`
  return onEndpoint.href
}

/** What an answer to an attempt says. */
export function readAnswer(answer: HttpAnswer, endpoint: string, attempt: Attempt): AttemptOutcome {
  const { status } = answer
  if (status === 413) return { kind: 'tooLarge', limit: parseUploadLimit(answer.header(HEADER.limit)) }
  // without Tus-Resumable it is the network that answers (captive portal, proxy), not the server (PROTOCOL)
  if (answer.header('Tus-Resumable') === undefined && status < 500 && status !== 429) {
    return cutBy('connection', `something else than the tus server answered (${status}, without Tus-Resumable)`)
  }
  const offset = readOffset(answer, attempt.partition.start)
  const location = answer.header('Location')
  const url = location === undefined ? attempt.url : new URL(location, `${endpoint}/`).href
  if (status >= 200 && status < 300) {
    if (offset === undefined || url === undefined)
      return cutBy('serverError', `the answer ${status} lacks Upload-Offset or Location`)
    return { kind: 'accepted', offset, url }
  }
  if (status === 409) return { kind: 'mismatch', offset, url, reachedEnd: answer.header(HEADER.state) === 'completed' }
  if (status === 410 || status === 404) return { kind: 'over', state: answer.header(HEADER.state) ?? 'gone', status }
  if (status === 507) return { kind: 'full' }
  if (status === 423 || status === 429 || status === 503)
    return { kind: 'wait', status, retryAfterMs: readRetryAfter(answer) }
  if (status === 408) return cutBy('timeout', `the server answered ${status}`)
  if (status >= 500) return cutBy('serverError', `the server answered ${status}`)
  return { kind: 'refused', status, message: firstLine(answer.body) }
}

function cutBy(failure: FailureKind, cause: string): AttemptOutcome {
  return { kind: 'cut', failure, cause: new Error(cause) }
}

function readOffset(answer: HttpAnswer, start: number): number | undefined {
  const text = answer.header('Upload-Offset')
  const offset = text === undefined ? Number.NaN : Number(text)
  return Number.isSafeInteger(offset) && offset >= 0 ? start + offset : undefined
}

function firstLine(body: string): string {
  return body.split('\n', 1)[0]?.slice(0, 200) ?? ''
}
