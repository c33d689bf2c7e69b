import type { Clock } from '../orchestration/ports.js'

interface Timer {
  readonly atMs: number
  readonly callback: () => void
}

/** Time that stands still until a test lets it pass. */
export class SimulatedClock implements Clock {
  #nowMs = 0
  /** In the order in which they go off: those of one time as they were set. */
  readonly #timers: Timer[] = []

  now(): number {
    return this.#nowMs
  }

  epochMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, callback: () => void): () => void {
    // real timers know whole milliseconds, and are never early
    const timer = { atMs: Math.ceil(this.#nowMs + delayMs), callback }
    this.#timers.splice(this.#placeAfter(timer.atMs), 0, timer)
    return () => this.#remove(timer)
  }

  /** No work takes time here, so that nothing else waits. */
  async breathe(): Promise<void> {}

  /** How many timers wait. */
  get timers(): number {
    return this.#timers.length
  }

  /** A jump, as of a machine that slept: what is due goes off at the end of it. */
  advance(ms: number): void {
    this.#nowMs += ms
    for (let due = this.#next(); due; due = this.#next()) this.#fire(due)
  }

  /** Lets the next timer go off, and what follows from it; false when none is due by then. */
  async step(untilMs: number): Promise<boolean> {
    const due = this.#next(untilMs)
    if (!due) return false
    this.#nowMs = Math.max(this.#nowMs, due.atMs)
    this.#fire(due)
    await everythingDone()
    return true
  }

  /** Lets time pass: every timer goes off at its time, and what follows from it is done before the next. */
  async run(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    await everythingDone()
    while (await this.step(untilMs));
    this.#nowMs = untilMs
  }

  /** Lets time pass until the promise has settled; at most so long. */
  async settle<T>(promise: Promise<T>, limitMs = 3_600_000): Promise<T> {
    let isSettled = false
    const mark = () => {
      isSettled = true
    }
    promise.then(mark, mark)
    const untilMs = this.#nowMs + limitMs
    await everythingDone()
    while (!isSettled && (await this.step(untilMs)));
    if (!isSettled) throw new Error(`not settled after ${limitMs} ms, or nothing left that could settle it`)
    return promise
  }

  #next(untilMs: number = this.#nowMs): Timer | undefined {
    const [first] = this.#timers
    return first && first.atMs <= untilMs ? first : undefined
  }

  #fire(timer: Timer): void {
    this.#remove(timer)
    timer.callback()
  }

  #remove(timer: Timer): void {
    const at = this.#timers.indexOf(timer)
    if (at >= 0) this.#timers.splice(at, 1)
  }

  /** Behind all timers of that time and earlier. */
  #placeAfter(atMs: number): number {
    let [low, high] = [0, this.#timers.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#timers[middle]?.atMs ?? atMs) <= atMs) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** The clock of one machine: it may sleep while the world goes on, or be gone for good. */
export class MachineClock implements Clock {
  readonly #world: Clock
  readonly #timers = new Set<() => void>()
  /** Due in its sleep, in their order. */
  readonly #missed: (() => void)[] = []
  #state: 'awake' | 'asleep' | 'gone' = 'awake'

  constructor(world: Clock) {
    this.#world = world
  }

  get isAwake(): boolean {
    return this.#state === 'awake'
  }

  now(): number {
    return this.#world.now()
  }

  epochMs(): number {
    return this.#world.epochMs()
  }

  after(delayMs: number, callback: () => void): () => void {
    if (this.#state === 'gone') return () => {}
    const fire = () => {
      if (!this.#timers.has(fire)) return
      if (this.#state === 'asleep') this.#missed.push(fire)
      else if (this.#timers.delete(fire)) callback()
    }
    this.#timers.add(fire)
    const cancel = this.#world.after(delayMs, fire)
    return () => {
      this.#timers.delete(fire)
      cancel()
    }
  }

  breathe(): Promise<void> {
    return this.#world.breathe()
  }

  /** How many timers wait. */
  get timers(): number {
    return this.#timers.size
  }

  sleep(): void {
    if (this.#state === 'awake') this.#state = 'asleep'
  }

  /** What was missed goes off now, one after another. */
  wake(): void {
    if (this.#state !== 'asleep') return
    this.#state = 'awake'
    for (const fire of this.#missed.splice(0)) this.#world.after(0, fire)
  }

  /** The process is gone: nothing of it goes off any more. */
  kill(): void {
    this.#state = 'gone'
    this.#timers.clear()
  }
}

/** Everything that does not wait for time has run: promises are followed to their ends before the next turn. */
export function everythingDone(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
