/** What a server is doing, over one short time. */
interface LoadSample {
  /** Event-loop utilisation, 0 to 1. */
  readonly loop: number
  /** Bytes of bodies that wait to be written, or are being written. */
  readonly pendingBytes: number
  /** What a write takes now: the mean of those that ended, or the age of the oldest that has not, if that is more. */
  readonly writeMs: number
}

/**
 * A busy loop alone is no reason to send uploads away: it still takes its turns, and hashing fills it at full speed.
 * So it counts for less than the bound at which new sessions are refused (guess).
 */
const LOOP_WEIGHT = 0.8
/** As much waits when a thousand bodies each have a piece of 64 KiB on its way (guess). */
const FULL_PENDING_BYTES = 67_108_864
/** A disk that takes as long for one piece is in trouble (guess). */
const FULL_WRITE_MS = 1000
/** What was two seconds ago counts for a third (guess: longer than a burst, shorter than a client's patience). */
const TIME_CONSTANT_MS = 2000

/** `max(0.8 * loop, pendingBytes / 64 MiB, writeMs / 1000)`, 0 to 1: the scarcest thing decides. */
export function loadOf(sample: LoadSample): number {
  const parts = [
    LOOP_WEIGHT * sample.loop,
    sample.pendingBytes / FULL_PENDING_BYTES,
    sample.writeMs / FULL_WRITE_MS,
  ].map((part) => (Number.isFinite(part) ? Math.min(1, Math.max(0, part)) : 0))
  return Math.max(...parts)
}

/** An exponentially weighted mean over time: `load + (1 - e^(-elapsed / 2 s)) * (now - load)`. */
export function smoothLoad(load: number, now: number, elapsedMs: number): number {
  return load + (1 - Math.exp(-Math.max(0, elapsedMs) / TIME_CONSTANT_MS)) * (now - load)
}
