import type { GroupOperationRequest, OperationAnswers, ServerEvent } from 'tus-reconcile-protocol'
import type { Attempt, AttemptOutcome, Capabilities, LoadListener, ServerPort } from '../orchestration/ports.js'
import { OperationError } from '../orchestration/ports.js'

type Answer = OperationAnswers[GroupOperationRequest['op']]

/** What an event stream was opened with, and how the test speaks through it. */
export interface OpenStream {
  readonly client: string
  readonly lastEventId: string | undefined
  readonly signal: AbortSignal
  say(event: ServerEvent, id: string): void
  beat(): void
  break(): void
}

/** An address that answers as the test says; until it says something, with silence. */
export class ScriptedPort implements ServerPort {
  readonly endpoint: string
  readonly attempts: Attempt[] = []
  readonly operations: GroupOperationRequest[] = []
  readonly streams: OpenStream[] = []
  probes = 0
  /** What each of its answers says of its load. */
  load: number | undefined
  onAttempt: (attempt: Attempt) => AttemptOutcome | Promise<AttemptOutcome> = silence
  onOperation: (request: GroupOperationRequest) => Answer | Promise<Answer> = silence
  onProbe: () => Capabilities | Promise<Capabilities> = silence

  constructor(endpoint: string) {
    this.endpoint = endpoint
  }

  async probe(signal: AbortSignal, onLoad?: LoadListener): Promise<Capabilities> {
    this.probes += 1
    return this.#answer(() => this.onProbe(), signal, onLoad)
  }

  async attempt(attempt: Attempt): Promise<AttemptOutcome> {
    this.attempts.push(attempt)
    attempt.onSending?.()
    return this.#answer(() => this.onAttempt(attempt), attempt.signal, attempt.onLoad).catch((error: unknown) => {
      if (attempt.signal.aborted) return { kind: 'aborted' }
      throw error
    })
  }

  async operate<Request extends GroupOperationRequest>(
    request: Request,
    signal: AbortSignal,
    onLoad?: LoadListener,
  ): Promise<OperationAnswers[Request['op']]> {
    this.operations.push(request)
    // a test answers the operation that it was asked
    const answer = await this.#answer(() => this.onOperation(request), signal, onLoad)
    return answer as OperationAnswers[Request['op']]
  }

  listen(o: Parameters<ServerPort['listen']>[0]): Promise<void> {
    const { client, lastEventId, signal } = o
    if (this.load !== undefined) o.onLoad(this.load)
    const broken = new Promise<void>((_resolve, reject) => {
      this.streams.push({
        client,
        lastEventId,
        signal,
        say: (event, id) => o.onEvent(event, id),
        beat: () => o.onAlive(),
        break: () => reject(new Error('the stream broke')),
      })
    })
    return orAborted(broken, signal)
  }

  /** Refusals say the load too. */
  async #answer<T>(say: () => T | Promise<T>, signal: AbortSignal, onLoad: LoadListener | undefined): Promise<T> {
    const tell = () => {
      if (this.load !== undefined) onLoad?.(this.load)
    }
    try {
      const answer = await orAborted(say(), signal)
      tell()
      return answer
    } catch (error) {
      if (error instanceof OperationError) tell()
      throw error
    }
  }

  /** The names of the operations that it was asked, in order. */
  get asked(): string[] {
    return this.operations.map(({ op }) => op)
  }
}

/** What never comes. */
export function silence(): Promise<never> {
  return new Promise(() => {})
}

function orAborted<T>(answer: T | Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(new Error('aborted'))
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort)
    Promise.resolve(answer)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', abort))
  })
}
