import type { Clock } from '../orchestration/ports.js'

interface Timer {
  readonly atMs: number
  readonly callback: () => void
}

/** Time that stands still until a test lets it pass. */
export class SimulatedClock implements Clock {
  #nowMs = 0
  readonly #timers = new Set<Timer>()

  now(): number {
    return this.#nowMs
  }

  epochMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, callback }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** How many timers wait. */
  get timers(): number {
    return this.#timers.size
  }

  /** A jump, as of a machine that slept: what is due goes off at the end of it. */
  advance(ms: number): void {
    this.#nowMs += ms
    for (let due = this.#next(); due; due = this.#next()) this.#fire(due)
  }

  /** Lets time pass: every timer goes off at its time, and what follows from it is done before the next. */
  async run(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    await everythingDone()
    for (let due = this.#next(untilMs); due; due = this.#next(untilMs)) {
      this.#nowMs = Math.max(this.#nowMs, due.atMs)
      this.#fire(due)
      await everythingDone()
    }
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
    for (let due = this.#next(untilMs); due && !isSettled; due = this.#next(untilMs)) {
      this.#nowMs = Math.max(this.#nowMs, due.atMs)
      this.#fire(due)
      await everythingDone()
    }
    if (!isSettled) throw new Error(`not settled after ${limitMs} ms, or nothing left that could settle it`)
    return promise
  }

  #next(untilMs: number = this.#nowMs): Timer | undefined {
    let first: Timer | undefined
    for (const timer of this.#timers) if (timer.atMs <= untilMs && (!first || timer.atMs < first.atMs)) first = timer
    return first
  }

  #fire(timer: Timer): void {
    this.#timers.delete(timer)
    timer.callback()
  }
}

/** Everything that does not wait for time has run: promises are followed to their ends before the next turn. */
export function everythingDone(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
