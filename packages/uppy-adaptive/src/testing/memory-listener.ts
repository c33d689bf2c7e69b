import type { ServerEvent } from 'tus-reconcile-protocol'
import type { Clock, ServerPort } from '../orchestration/ports.js'
import { onAbort } from '../orchestration/timing.js'
import type { MemoryPort } from './memory-port.js'

const BUSY_BEAT_MS = 1_000
/** How soon what was held comes once the dark has ended. */
const FLUSH_MS = 50
const IDLE_BEATS = 5

type Listening = Parameters<ServerPort['listen']>[0]

/** A stream that is open: how it ends by itself, and how its connection breaks. */
export interface EventStream {
  readonly ended: Promise<void>
  readonly end: () => void
  readonly cut: () => void
}

/** An open event stream: what its server says arrives by the port, late, or when the dark has ended. */
export function listenTo(port: MemoryPort, clock: Clock, o: Listening): EventStream {
  let close: () => void = () => {}
  let cut: () => void = () => {}
  const ended = new Promise<void>((resolve, reject) => {
    const stream = new Stream(port, clock, o)
    const finish = (settle: () => void) => () => {
      leave()
      stream.close()
      settle()
    }
    const leave = onAbort(
      o.signal,
      finish(() => reject(new Error('aborted'))),
    )
    close = finish(resolve)
    cut = finish(() => reject(new Error('the connection was reset')))
    stream.onEnd = cut
    if (o.signal.aborted) reject(new Error('aborted'))
    else stream.open()
  })
  return { ended, end: () => close(), cut: () => cut() }
}

class Stream {
  readonly #port: MemoryPort
  readonly #clock: Clock
  readonly #listening: Listening
  readonly #held: (() => void)[] = []
  #isOpen = true
  #beat = 0
  #newest = 0
  #unsubscribe: () => void = () => {}
  onEnd: () => void = () => {}

  constructor(port: MemoryPort, clock: Clock, listening: Listening) {
    this.#port = port
    this.#clock = clock
    this.#listening = listening
  }

  open(): void {
    const { client, lastEventId, onEvent, onAlive } = this.#listening
    const say = (event: ServerEvent, id: string) => {
      this.#noteOrder(id)
      onAlive()
      onEvent(event, id)
    }
    this.#unsubscribe = this.#port.server.events.subscribe(client, lastEventId, {
      send: (event, id) => this.#later(this.#port.delayMs + this.#port.eventDelayMs(), () => say(event, id)),
      end: () => this.#later(this.#port.delayMs, () => this.onEnd()),
    })
    this.#beatOn()
  }

  close(): void {
    this.#isOpen = false
    this.#held.length = 0
    this.#unsubscribe()
  }

  #noteOrder(id: string): void {
    const n = Number(id.split('-')[1])
    if (n < this.#newest) this.#port.onMishap('reordersEvents')
    this.#newest = Math.max(this.#newest, n)
  }

  #beatOn(): void {
    if (!this.#isOpen) return
    const { server, holdsEvents } = this.#port
    const isBusy = [...server.groups.values()].some((group) => !group.hasEnded)
    if (!holdsEvents && !server.isDown && this.#beat++ % (isBusy ? 1 : IDLE_BEATS) === 0)
      this.#later(this.#port.delayMs, () => this.#listening.onAlive())
    this.#clock.after(BUSY_BEAT_MS, () => this.#beatOn())
  }

  #later(delayMs: number, say: () => void): void {
    if (this.#port.holdsEvents) return
    this.#clock.after(delayMs, () => {
      if (!this.#isOpen) return
      if (this.#port.isDark || this.#held.length > 0) this.#hold(say)
      else this.#deliver(say)
    })
  }

  #hold(say: () => void): void {
    this.#held.push(say)
    if (this.#held.length === 1) this.#flushSoon()
  }

  #flushSoon(): void {
    this.#clock.after(FLUSH_MS, () => {
      this.#flush()
      if (this.#held.length > 0) this.#flushSoon()
    })
  }

  /** What TCP has kept through the dark. */
  #flush(): void {
    if (this.#port.isDark) return
    for (const say of this.#held.splice(0)) this.#deliver(say)
  }

  /** A machine that sleeps reads it when it wakes. */
  #deliver(say: () => void): void {
    this.#port.clock.after(0, () => {
      if (this.#isOpen) say()
    })
  }
}
