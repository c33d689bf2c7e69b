import { BODY_CONTENT_TYPE, formatPartitionHeader, HEADER } from 'tus-reconcile-protocol'
import type { Attempt, AttemptOutcome } from '../orchestration/ports.js'
import { toError, UploadError } from '../orchestration/upload-error.js'
import type { AuthorizedAnswer, AuthorizedSender } from './authorized-sender.js'
import { HeadersError } from './credentials.js'
import type { HttpAnswer, HttpCall } from './http.js'
import { AbortedError, tellLoad } from './http.js'
import { encodeMetadata } from './metadata.js'
import { faultOf } from './network-fault.js'
import { cutByStranger, isOwnWord, readRefusal } from './refusal.js'

/** One attempt of a session: a POST that creates it (with its first bytes), or a PATCH that goes on. */
export async function runAttempt(
  sender: AuthorizedSender,
  endpoint: string,
  attempt: Attempt,
): Promise<AttemptOutcome> {
  try {
    const call = attempt.url === undefined ? creation(endpoint, attempt) : append(endpoint, attempt, attempt.url)
    const answer = await sender.send(call, attempt.onHeldBack)
    tellLoad(answer, attempt.onLoad)
    return readAnswer(answer, endpoint, attempt)
  } catch (error) {
    if (error instanceof AbortedError) return { kind: 'aborted' }
    // the source cannot be read: no server's fault, and no other server would help
    if (error instanceof UploadError) throw error
    if (error instanceof HeadersError) return { kind: 'cut', failure: 'configuration', cause: error }
    return { kind: 'cut', fault: faultOf(error), cause: toError(error) }
  }
}

function creation(endpoint: string, attempt: Attempt): HttpCall {
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

function append(endpoint: string, attempt: Attempt, url: string): HttpCall {
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

/** What an answer to an attempt says: the row of the table that it is, with its figures. */
export function readAnswer(answer: AuthorizedAnswer, endpoint: string, attempt: Attempt): AttemptOutcome {
  const { status } = answer
  // 413 is a proxy's as often as the server's, 429 too, and 401 and 403 where we can answer them; else see P9
  const isAnybodys = status === 413 || status === 429 || status >= 500 || isAskedFor(answer)
  if (!isOwnWord(answer) && !isAnybodys) return cutByStranger(status)
  const offset = readOffset(answer, attempt.partition.start)
  const location = answer.header('Location')
  const url = location === undefined ? attempt.url : new URL(location, `${endpoint}/`).href
  if (status >= 300) {
    const state = answer.header(HEADER.state)
    return readRefusal(answer, {
      mismatch: { kind: 'mismatch', offset, url, reachedEnd: state === 'completed' },
      over: { kind: 'over', state: state ?? 'gone', status },
    })
  }
  if (offset === undefined || url === undefined)
    return {
      kind: 'cut',
      fault: 'incomplete answer',
      cause: new Error(`the answer ${status} lacks Upload-Offset or Location`),
    }
  return { kind: 'accepted', offset, url }
}

/** It refuses credentials, and the application was asked for others. */
function isAskedFor({ renewal }: AuthorizedAnswer): boolean {
  return renewal === 'renewed' || renewal === 'refused'
}

function readOffset(answer: HttpAnswer, start: number): number | undefined {
  const text = answer.header('Upload-Offset')
  const offset = text === undefined ? Number.NaN : Number(text)
  return Number.isSafeInteger(offset) && offset >= 0 ? start + offset : undefined
}
