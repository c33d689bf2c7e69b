import { performance } from 'node:perf_hooks'
import { loadOf, smoothLoad } from './load-formula.js'

/** How often load is looked at (guess: several times within the smoothing's time). */
const SAMPLE_MS = 250
/** What can wait, waits, where the event loop has less than half of its time left (guess). */
const BUSY_LOOP = 0.5

/** Less is no reason to choose another server (guess). */
const TOLD_CHANGE = 0.1

interface PendingWrite {
  readonly bytes: number
  readonly beganMs: number
}

/** How busy this server is, 0 to 1, smoothed: what clients are told, and what decides whether new sessions are taken. */
export class LoadMonitor {
  readonly #pending = new Set<PendingWrite>()
  readonly #timer: ReturnType<typeof setInterval>
  /** Called when the load has changed by a tenth since it was told, at most each sample. */
  onChange: (load: number) => void = () => {}
  #load = 0
  #told = 0
  #endedMs = 0
  #ended = 0
  #loop = performance.eventLoopUtilization()
  #utilization = 0
  #sampledMs = performance.now()

  constructor() {
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS)
    this.#timer.unref()
  }

  get load(): number {
    return this.#load
  }

  /** As of the last sample: bodies need most of the time. */
  get isLoopBusy(): boolean {
    return this.#utilization > BUSY_LOOP
  }

  /** A piece of a body is going to the disk. Returns what is called when it is there; that returns the seconds it took. */
  writing(bytes: number): () => number {
    const write = { bytes, beganMs: performance.now() }
    this.#pending.add(write)
    return () => {
      const ms = performance.now() - write.beganMs
      if (this.#pending.delete(write)) {
        this.#endedMs += ms
        this.#ended++
      }
      return ms / 1000
    }
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #sample(): void {
    const nowMs = performance.now()
    const loop = performance.eventLoopUtilization()
    let pendingBytes = 0
    let oldestMs = 0
    for (const write of this.#pending) {
      pendingBytes += write.bytes
      oldestMs = Math.max(oldestMs, nowMs - write.beganMs)
    }
    const writeMs = Math.max(oldestMs, this.#ended === 0 ? 0 : this.#endedMs / this.#ended)
    this.#utilization = performance.eventLoopUtilization(loop, this.#loop).utilization
    const now = loadOf({ loop: this.#utilization, pendingBytes, writeMs })
    this.#load = smoothLoad(this.#load, now, nowMs - this.#sampledMs)
    this.#loop = loop
    this.#sampledMs = nowMs
    this.#endedMs = this.#ended = 0
    if (Math.abs(this.#load - this.#told) < TOLD_CHANGE) return
    this.#told = this.#load
    this.onChange(this.#load)
  }
}
