import type { GroupOperationRequest, OperationAnswers, ServerEvent } from 'tus-reconcile-protocol'
import type { Attempt, AttemptOutcome, Capabilities, ServerPort } from '../orchestration/ports.js'

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
  onAttempt: (attempt: Attempt) => AttemptOutcome | Promise<AttemptOutcome> = silence
  onOperation: (request: GroupOperationRequest) => Answer | Promise<Answer> = silence
  onProbe: () => Capabilities | Promise<Capabilities> = silence

  constructor(endpoint: string) {
    this.endpoint = endpoint
  }

  async probe(signal: AbortSignal): Promise<Capabilities> {
    this.probes += 1
    return orAborted(this.onProbe(), signal)
  }

  async attempt(attempt: Attempt): Promise<AttemptOutcome> {
    this.attempts.push(attempt)
    return orAborted(this.onAttempt(attempt), attempt.signal).catch((error: unknown) => {
      if (attempt.signal.aborted) return { kind: 'aborted' }
      throw error
    })
  }

  async operate<Request extends GroupOperationRequest>(
    request: Request,
    signal: AbortSignal,
  ): Promise<OperationAnswers[Request['op']]> {
    this.operations.push(request)
    // a test answers the operation that it was asked
    return (await orAborted(this.onOperation(request), signal)) as OperationAnswers[Request['op']]
  }

  listen(o: Parameters<ServerPort['listen']>[0]): Promise<void> {
    const { client, lastEventId, signal } = o
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
