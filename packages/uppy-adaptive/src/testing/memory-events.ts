import type { ServerEvent } from 'tus-reconcile-protocol'

interface ClientLog {
  readonly events: ServerEvent[]
  readonly sinks: Set<EventSink>
}

/** Where a client's events go; told when the process ends. */
export interface EventSink {
  send(event: ServerEvent, id: string): void
  end(): void
}

/** The events of every client of one server, numbered by the server's run (docs/protocol.md, section 10). */
export class MemoryEvents {
  readonly #logs = new Map<string, ClientLog>()
  #epoch = 1

  /** How many streams are open. */
  get streams(): number {
    return [...this.#logs.values()].reduce((sum, { sinks }) => sum + sinks.size, 0)
  }

  publish(clients: Iterable<string>, event: ServerEvent): void {
    for (const client of clients) {
      const log = this.#logOf(client)
      log.events.push(event)
      for (const sink of log.sinks) sink.send(event, `${this.#epoch}-${log.events.length}`)
    }
  }

  /** First what came after `lastEventId`, or `reset` when that is not known any more (P77). */
  subscribe(client: string, lastEventId: string | undefined, sink: EventSink): () => void {
    const log = this.#logOf(client)
    if (lastEventId !== undefined) {
      const [epoch, n] = lastEventId.split('-').map(Number)
      if (epoch !== this.#epoch || n === undefined || n > log.events.length)
        sink.send({ type: 'reset' }, `${this.#epoch}-${log.events.length}`)
      else for (let i = n; i < log.events.length; i++) this.#repeat(log, i, sink)
    }
    log.sinks.add(sink)
    return () => log.sinks.delete(sink)
  }

  /** The process has ended, and with it all that it could repeat. */
  crash(): void {
    for (const { sinks } of this.#logs.values()) for (const sink of [...sinks]) sink.end()
    this.#logs.clear()
    this.#epoch += 1
  }

  #repeat(log: ClientLog, i: number, sink: EventSink): void {
    const event = log.events[i]
    if (event) sink.send(event, `${this.#epoch}-${i + 1}`)
  }

  #logOf(client: string): ClientLog {
    const log = this.#logs.get(client) ?? { events: [], sinks: new Set<EventSink>() }
    this.#logs.set(client, log)
    return log
  }
}
