import type { ServerEvent } from 'tus-reconcile-protocol'
import { formatMessage } from 'tus-reconcile-protocol'

/** What a client that comes back can be told again. */
const KEPT_EVENTS = 1000
/** Logs of clients that are away are forgotten beyond this many (guess). */
const KEPT_CLIENTS = 4096

/** Where events go: a stream of one client. */
export interface EventSink {
  /** Text is one or more whole `text/event-stream` events. */
  send(text: string): void
  /** A newer stream of the client has taken its place: nothing more is sent. */
  replaced(): void
}

interface ClientLog {
  last: number
  readonly kept: string[]
  readonly sinks: Set<EventSink>
}

/** The events of every client, numbered `<epoch>-<n>`; an epoch is one run of the server. */
export class EventHub {
  readonly #epoch: string
  readonly #streamsPerClient: number
  readonly #logs = new Map<string, ClientLog>()

  /** @param streamsPerClient beyond these the oldest stream of a client ends for its newest */
  constructor(epoch: string, streamsPerClient: number = Number.POSITIVE_INFINITY) {
    this.#epoch = epoch
    this.#streamsPerClient = streamsPerClient
  }

  /** How many clients there are logs of. */
  get size(): number {
    return this.#logs.size
  }

  publish(clients: Iterable<string>, event: ServerEvent): void {
    for (const client of clients) this.#append(this.#logOf(client), event)
  }

  /** To every stream, and not again: it carries the id of the event before it, so that nothing is lost by it. */
  tellAll(event: ServerEvent): void {
    for (const log of this.#logs.values()) {
      if (log.sinks.size === 0) continue
      const text = this.#format(log.last, event)
      for (const sink of log.sinks) sink.send(text)
    }
  }

  /** Gives what came after `lastEventId`, or `reset` when that is not known any more, and goes on with what comes. */
  subscribe(client: string, lastEventId: string | undefined, sink: EventSink): () => void {
    const log = this.#logOf(client)
    if (lastEventId !== undefined) {
      const missed = this.#since(log, lastEventId)
      if (missed === undefined) sink.send(this.#format(log.last, { type: 'reset' }))
      else if (missed.length > 0) sink.send(missed.join(''))
    }
    log.sinks.add(sink)
    for (const oldest of log.sinks) {
      if (log.sinks.size <= this.#streamsPerClient) break
      log.sinks.delete(oldest)
      oldest.replaced()
    }
    return () => log.sinks.delete(sink)
  }

  #since(log: ClientLog, id: string): readonly string[] | undefined {
    const match = /^([^-]+)-(\d{1,15})$/.exec(id)
    const n = Number(match?.[2])
    if (match?.[1] !== this.#epoch || n > log.last || n < log.last - log.kept.length) return undefined
    return log.kept.slice(log.kept.length - (log.last - n))
  }

  #append(log: ClientLog, event: ServerEvent): void {
    log.last++
    const text = this.#format(log.last, event)
    log.kept.push(text)
    if (log.kept.length > KEPT_EVENTS) log.kept.shift()
    for (const sink of log.sinks) sink.send(text)
  }

  #format(n: number, event: ServerEvent): string {
    return `id: ${this.#epoch}-${n}\ndata: ${formatMessage(event)}\n\n`
  }

  #logOf(client: string): ClientLog {
    const log = this.#logs.get(client) ?? { last: 0, kept: [], sinks: new Set<EventSink>() }
    // the one used last is last, so the first without a stream is the one to forget
    this.#logs.delete(client)
    this.#logs.set(client, log)
    if (this.#logs.size > KEPT_CLIENTS) {
      for (const [id, old] of this.#logs) {
        if (old.sinks.size > 0 || old === log) continue
        this.#logs.delete(id)
        break
      }
    }
    return log
  }
}
