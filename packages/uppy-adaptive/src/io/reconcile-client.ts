import { createParser } from 'eventsource-parser'
import type { GroupOperationRequest, OperationAnswers } from 'tus-reconcile-protocol'
import {
  BLOCK_SIZE,
  formatMessage,
  HEADER,
  OPERATION_CONTENT_TYPE,
  parseAnswer,
  parseLoad,
  parseServerEvent,
  parseUploadLimit,
  RECONCILE_EXTENSION,
  TUS_VERSION,
} from 'tus-reconcile-protocol'
import { isPassing } from '../orchestration/failure-table.js'
import type { Attempt, AttemptOutcome, Capabilities, LoadListener, ServerPort } from '../orchestration/ports.js'
import { OperationError } from '../orchestration/ports.js'
import { toError, UploadError } from '../orchestration/upload-error.js'
import type { AuthorizedAnswer } from './authorized-sender.js'
import { AuthorizedSender } from './authorized-sender.js'
import { HeadersError } from './credentials.js'
import type { HttpOptions, StreamingFetch } from './http.js'
import { AbortedError, orAbort, readRetryAfter, tellLoad } from './http.js'
import { runAttempt } from './tus-session.js'

/** The event stream's requests, as a kind of their own. */
const EVENTS = 'events'

type Listening = Parameters<ServerPort['listen']>[0]

/** One address of a server, over HTTP. */
export class ReconcileClient implements ServerPort {
  readonly endpoint: string
  readonly localAddress: string | undefined
  readonly #withCredentials: boolean
  readonly #fetch: StreamingFetch
  readonly #sender: AuthorizedSender

  constructor({ endpoint, localAddress }: Pick<ServerPort, 'endpoint' | 'localAddress'>, options: HttpOptions) {
    this.endpoint = endpoint
    this.localAddress = localAddress
    this.#fetch = options.fetch
    this.#withCredentials = options.withCredentials
    this.#sender = new AuthorizedSender(options)
  }

  async probe(signal: AbortSignal, onLoad?: LoadListener): Promise<Capabilities> {
    const answer = await this.#ask(signal)
    tellLoad(answer, onLoad)
    const version = answer.header('Tus-Version') ?? answer.header('Tus-Resumable')
    if (answer.renewal === 'renewed') return this.probe(signal, onLoad)
    if (answer.renewal === 'refused') {
      const message = `${this.endpoint} refuses its credentials (${answer.status}): give others as headers, then start again`
      throw new UploadError('refused', message, { status: answer.status })
    }
    if (answer.status >= 400 && isPassing({ status: answer.status, retryAfterMs: readRetryAfter(answer) }))
      throw new UploadError('unreachable', `${this.endpoint} answered ${answer.status}`, { status: answer.status })
    if (version === undefined) {
      throw new UploadError(
        'not-a-tus-server',
        `${this.endpoint} answered OPTIONS with ${answer.status} and without Tus-Version: it is no tus endpoint; check its path`,
        { status: answer.status },
      )
    }
    const extensions = (answer.header('Tus-Extension') ?? '').split(',').map((name) => name.trim())
    // digests are of blocks: a server with other blocks is a plain one to us
    const blockSize = Number(answer.header(HEADER.blockSize) ?? BLOCK_SIZE)
    const isReconcile = extensions.includes(RECONCILE_EXTENSION) && blockSize === BLOCK_SIZE
    return {
      kind: isReconcile ? 'reconcile' : 'tus',
      storeId: answer.header(HEADER.storeId),
      limit: parseUploadLimit(answer.header(HEADER.limit)),
      extensions,
      commitsElsewhere: answer.header(HEADER.commit) === 'any',
    }
  }

  attempt(attempt: Attempt): Promise<AttemptOutcome> {
    return runAttempt(this.#sender, this.endpoint, attempt)
  }

  async operate<Request extends GroupOperationRequest>(
    request: Request,
    signal: AbortSignal,
    onLoad?: LoadListener,
  ): Promise<OperationAnswers[Request['op']]> {
    const answer = await this.#sender.send({
      method: 'POST',
      url: this.endpoint,
      headers: { 'Content-Type': OPERATION_CONTENT_TYPE },
      body: formatMessage(request),
      signal,
    })
    tellLoad(answer, onLoad)
    const json = parseJson(answer.body)
    // a 409 of claim and commit is their answer: what conflicts, what is missing
    const carriesAnswer =
      answer.status === 409 && (request.op === 'claim' || request.op === 'commit') && !isErrorAnswer(json)
    const op: Request['op'] = request.op
    if (answer.status < 300 || carriesAnswer) return parseAnswer<Request['op']>(op, json)
    throw readRefusal(answer, json)
  }

  async listen(o: Listening): Promise<void> {
    const given = await orAbort(this.#sender.headers(this.endpoint, 'POST'), o.signal)
    const response = await this.#fetch(this.endpoint, {
      method: 'POST',
      headers: { ...given.headers, 'Content-Type': OPERATION_CONTENT_TYPE, 'Tus-Resumable': TUS_VERSION },
      body: JSON.stringify({
        op: 'events',
        client: o.client,
        ...(o.lastEventId === undefined ? {} : { lastEventId: o.lastEventId }),
      }),
      credentials: this.#withCredentials ? 'include' : 'same-origin',
      // what fetch follows gets the application's headers, whoever it is
      redirect: 'error',
      signal: o.signal,
    })
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
    // Node's fetch forgets its signal when memory is collected after the answer
    const stop = () => void reader?.cancel().catch(() => {})
    o.signal.addEventListener('abort', stop)
    try {
      const load = parseLoad(response.headers.get(HEADER.load))
      if (load !== undefined) o.onLoad(load)
      const asked = { method: 'POST', url: this.endpoint, headers: { 'Content-Type': EVENTS } }
      await orAbort(this.#sender.judge(given, { ...asked, status: response.status }), o.signal)
      if (!response.ok || !reader) throw new Error(`no event stream: ${response.status}`)
      await readEvents(reader, o)
    } finally {
      o.signal.removeEventListener('abort', stop)
      stop()
    }
  }

  async #ask(signal: AbortSignal): Promise<AuthorizedAnswer> {
    try {
      return await this.#sender.send({ method: 'OPTIONS', url: this.endpoint, headers: {}, signal })
    } catch (error) {
      if (error instanceof AbortedError) throw error
      if (error instanceof HeadersError) throw new UploadError('unreachable', error.message, { cause: error })
      throw new UploadError(
        'unreachable',
        `${this.endpoint} does not answer (${toError(error).message}): is the server running, its address right, and CORS allowed?`,
        { cause: error },
      )
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isErrorAnswer(json: unknown): json is { error: { code: string; message: string } } {
  return typeof json === 'object' && json !== null && 'error' in json
}

function readRefusal(answer: AuthorizedAnswer, json: unknown): OperationError {
  const said = {
    status: answer.status,
    body: json,
    retryAfterMs: readRetryAfter(answer),
    isRenewed: answer.renewal === 'renewed',
  }
  if (isErrorAnswer(json))
    return new OperationError({ ...said, code: String(json.error.code), message: String(json.error.message) })
  return new OperationError({ ...said, code: 'http', message: `${answer.status} ${answer.body.slice(0, 200)}` })
}

/** Settles when the stream ends. */
async function readEvents(reader: ReadableStreamDefaultReader<string>, o: Listening): Promise<void> {
  o.onAlive()
  const parser = createParser({
    onEvent: (message) => o.onEvent(parseServerEvent(parseJson(message.data)), message.id ?? ''),
  })
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    o.onAlive()
    parser.feed(value)
  }
}
