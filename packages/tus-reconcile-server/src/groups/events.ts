import type { ServerEvent } from 'tus-reconcile-protocol'
import { formatMessage } from 'tus-reconcile-protocol'

/** What a client that comes back can be told again. */
const KEPT_EVENTS = 1000
/** Logs of clients that are away are forgotten beyond this many (guess). */
const KEPT_CLIENTS = 4096

/** Where events go: a stream of one client. Text is one or more whole `text/event-stream` events. */
export type EventSink = (text: string) => void

interface ClientLog {
  last: number
  readonly kept: string[]
  readonly sinks: Set<EventSink>
}

/** The events of every client, numbered `<epoch>-<n>`; an epoch is one run of the server. */
export class EventHub {
  readonly #epoch: string
  readonly #logs = new Map<string, ClientLog>()

  constructor(epoch: string) {
    this.#epoch = epoch
  }

  publish(clients: Iterable<string>, event: ServerEvent): void {
    for (const client of clients) this.#append(this.#logOf(client), event)
  }

  /** Gives what came after `lastEventId`, or `reset` when that is not known any more, and goes on with what comes. */
  subscribe(client: string, lastEventId: string | undefined, sink: EventSink): () => void {
    const log = this.#logOf(client)
    if (lastEventId !== undefined) {
      const missed = this.#since(log, lastEventId)
      if (missed === undefined) sink(this.#format(log.last, { type: 'reset' }))
      else if (missed.length > 0) sink(missed.join(''))
    }
    log.sinks.add(sink)
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
    for (const sink of log.sinks) sink(text)
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
