import type { GroupOperationRequest, OperationAnswers, ServerEvent } from 'tus-reconcile-protocol'
import type { AttemptOutcome, ServerPort } from '../../packages/uppy-adaptive/src/orchestration/ports.js'
import { B, newId, WireFile } from './wire-file.js'

/** A session as its client knows it. */
export interface PortedSession {
  readonly id: string
  readonly partition: string
  readonly start: number
  readonly end: number
  /** Of the next request. */
  attempt: number
  url: string | undefined
}

type WithoutAddress<T> = T extends GroupOperationRequest ? Omit<T, 'group' | 'home' | 'client'> : never

const NEVER = new AbortController().signal

/** The client of one file that speaks through our client's own ports: to real servers, or to those in memory. */
export class PortedClient {
  readonly file: WireFile
  readonly home: string
  /** Lets time pass until the promise has settled. */
  readonly during: <T>(promise: Promise<T>) => Promise<T>

  /** @param o.source its bytes, or how many made up ones */
  constructor(o: {
    source: number | Buffer<ArrayBuffer>
    home: string
    during: <T>(promise: Promise<T>) => Promise<T>
  }) {
    this.file = new WireFile(o.source)
    this.home = o.home
    this.during = o.during
  }

  session(start: number, end: number, partition = `p${start / B}`): PortedSession {
    return { id: newId(), partition, start, end, attempt: 0, url: undefined }
  }

  /** One request of the session, with the file's bytes of this range, or others. */
  async send(
    port: ServerPort,
    session: PortedSession,
    o: { from?: number; to?: number; attempt?: number; bytes?: Uint8Array; creates?: boolean; end?: number } = {},
  ): Promise<AttemptOutcome> {
    const { group, client, size } = this.file
    const range = { start: o.from ?? session.start, end: o.to ?? session.end }
    session.attempt = Math.max(session.attempt + 1, o.attempt ?? 0)
    const { id, partition, start, end } = session
    const outcome = await this.during(
      port.attempt({
        partition: {
          ...{ group, partition, session: id, client, start, end: o.end ?? end, size, home: this.home },
          attempt: o.attempt ?? session.attempt,
        },
        metadata: {},
        url: o.creates ? undefined : session.url,
        range,
        body: range.end > range.start ? (o.bytes ?? this.file.bytes.subarray(range.start, range.end)) : undefined,
        signal: NEVER,
        onHandedOver: () => {},
      }),
    )
    if (outcome.kind === 'accepted') session.url = outcome.url
    return outcome
  }

  /** A session with all its bytes, or those up to `to`. */
  async uploaded(
    port: ServerPort,
    start: number,
    end: number,
    o: { to?: number; bytes?: Uint8Array } = {},
  ): Promise<PortedSession> {
    const session = this.session(start, end)
    const outcome = await this.send(port, session, o)
    if (outcome.kind !== 'accepted') throw new Error(`creation: ${JSON.stringify(outcome)}`)
    return session
  }

  ask<Op extends GroupOperationRequest['op']>(
    port: ServerPort,
    operation: WithoutAddress<GroupOperationRequest> & { readonly op: Op },
  ): Promise<OperationAnswers[Op]> {
    const { group, client } = this.file
    // the union keeps its tag, which TypeScript cannot follow through the spread
    const request = { ...operation, group, client, home: this.home } as unknown as GroupOperationRequest & { op: Op }
    return this.during(port.operate(request, NEVER)) as Promise<OperationAnswers[Op]>
  }

  claim(
    port: ServerPort,
    session: PortedSession,
    leaves = this.file.leaves(session.start, session.end),
  ): Promise<OperationAnswers['claim']> {
    return this.ask(port, { op: 'claim', claims: [{ session: session.id, start: session.start, leaves }] })
  }

  commit(port: ServerPort, root = this.file.root): Promise<OperationAnswers['commit']> {
    return this.ask(port, { op: 'commit', size: this.file.size, root })
  }

  /** Everything but its load that the server says while `act` runs, and what it says at once when asked for what came after `lastEventId`. */
  async heard(
    port: ServerPort,
    act: () => Promise<unknown>,
    o: { until: (events: readonly ServerEvent[]) => boolean; lastEventId?: string },
  ): Promise<{ events: ServerEvent[]; ids: string[] }> {
    const stop = new AbortController()
    const events: ServerEvent[] = []
    const ids: string[] = []
    let alive: () => void = () => {}
    let enough: () => void = () => {}
    const isAlive = new Promise<void>((resolve) => {
      alive = resolve
    })
    const hasEnough = new Promise<void>((resolve) => {
      enough = resolve
    })
    const listening = port
      .listen({
        ...{ client: this.file.client, lastEventId: o.lastEventId, signal: stop.signal },
        onAlive: () => alive(),
        onLoad: () => {},
        onEvent: (event, id) => {
          // it comes when the machine is busy, and is not sent again (P178)
          if (event.type === 'load') return
          events.push(event)
          ids.push(id)
          if (o.until(events)) enough()
        },
      })
      .catch(() => {})
    await this.during(isAlive)
    await act()
    await this.during(hasEnough)
    stop.abort()
    await this.during(listening)
    return { events, ids }
  }
}
