import { lastWhere } from './halving.js'

interface Span {
  fromMs: number
  toMs: number
}

/** When nothing said anything: the upload was paused by its user, or its own clock stood still. Asked in logarithmic time. */
export class Pauses {
  readonly #told: Span[] = []
  #open: number | undefined
  /** Sorted, none touching another, each with the time paused before it; undefined after more was told. */
  #joined: (Span & { beforeMs: number })[] | undefined

  /** From its user's pause; a second one without a resume between changes nothing. */
  began(atMs: number): void {
    this.#open ??= atMs
    this.#joined = undefined
  }

  ended(atMs: number): void {
    if (this.#open !== undefined) this.add(this.#open, atMs)
    this.#open = undefined
  }

  add(fromMs: number, toMs: number): void {
    if (toMs > fromMs) this.#told.push({ fromMs, toMs })
    this.#joined = undefined
  }

  /** So much of the time between was paused. */
  withinMs(fromMs: number, toMs: number): number {
    return Math.max(0, this.#pausedUntil(toMs) - this.#pausedUntil(fromMs))
  }

  #pausedUntil(atMs: number): number {
    this.#joined ??= join([
      ...this.#told,
      ...(this.#open === undefined ? [] : [{ fromMs: this.#open, toMs: Number.MAX_SAFE_INTEGER }]),
    ])
    const last = lastWhere(this.#joined, ({ fromMs }) => fromMs <= atMs)
    return last === undefined ? 0 : last.beforeMs + Math.min(atMs, last.toMs) - last.fromMs
  }
}

function join(spans: readonly Span[]): (Span & { beforeMs: number })[] {
  const joined: (Span & { beforeMs: number })[] = []
  let beforeMs = 0
  for (const { fromMs, toMs } of spans.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const last = joined.at(-1)
    if (last !== undefined && fromMs <= last.toMs) last.toMs = Math.max(last.toMs, toMs)
    else {
      if (last !== undefined) beforeMs += last.toMs - last.fromMs
      joined.push({ fromMs, toMs, beforeMs })
    }
  }
  return joined
}
