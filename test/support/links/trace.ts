import { mergeEqualSteps, type RateSchedule } from './rate-schedule.js'

/** For a while so much got through; 1 Mbit = 1e6 bit. */
export interface TraceSegment {
  readonly durationMs: number
  readonly mbps: number
}

/** A recorded link: its segments follow one another, and it starts anew at its end. */
export interface Trace {
  readonly name: string
  readonly segments: readonly TraceSegment[]
  readonly lengthMs: number
  readonly meanBytesPerSecond: number
}

const BYTES_PER_MBIT = 125_000
/** What one line of Mahimahi lets through. */
const MAHIMAHI_BYTES = 1500
/** Mahimahi's lines are single packets: a rate is their number in so long (guess: short to an upload, long to a packet). */
const MAHIMAHI_BIN_MS = 100
/** Longer than any run. */
const REPEATED_MS = 2 * 3_600_000

/**
 * Reads either `start_ms,dur_ms,mbps` with that head line, or Mahimahi's form: a line for each packet of 1500 bytes
 * with the millisecond at which it may pass.
 *
 * @throws RangeError that names the trace and quotes the line
 */
export function parseTrace(name: string, text: string): Trace {
  const lines = text.trim().split(/\r?\n/)
  const isCsv = lines[0]?.replaceAll(' ', '') === 'start_ms,dur_ms,mbps'
  const segments = isCsv ? lines.slice(1).map((line, at) => readRow(name, line, at + 2)) : readPackets(name, lines)
  const lengthMs = segments.reduce((sum, { durationMs }) => sum + durationMs, 0)
  const mbits = segments.reduce((sum, { durationMs, mbps }) => sum + (mbps * durationMs) / 1000, 0)
  if (mbits === 0) throw new RangeError(`${name} lets nothing through: a trace needs a segment with a rate`)
  return { name, segments, lengthMs, meanBytesPerSecond: (mbits * BYTES_PER_MBIT * 1000) / lengthMs }
}

/** The trace as rates from 0 ms on, over and over for two hours; each rate times `factor`. */
export function scheduleOfTrace({ segments }: Trace, factor = 1): RateSchedule {
  const steps: { atMs: number; bytesPerSecond: number }[] = []
  for (let atMs = 0; atMs < REPEATED_MS; ) {
    for (const { durationMs, mbps } of segments) {
      steps.push({ atMs, bytesPerSecond: mbps * BYTES_PER_MBIT * factor })
      atMs += durationMs
    }
  }
  return mergeEqualSteps(steps)
}

function readRow(name: string, line: string, number: number): TraceSegment {
  const [startMs = Number.NaN, durationMs = Number.NaN, mbps = Number.NaN, ...more] = line.split(',').map(Number)
  const isRow = Number.isFinite(startMs + durationMs + mbps) && durationMs > 0 && mbps >= 0 && more.length === 0
  if (isRow) return { durationMs, mbps }
  throw new RangeError(
    `${name}, line ${number}: expected start_ms,dur_ms,mbps, none of them negative, got ${quote(line)}`,
  )
}

function readPackets(name: string, lines: readonly string[]): TraceSegment[] {
  const packets: number[] = []
  let lastMs = 0
  for (const [at, line] of lines.entries()) {
    const atMs = /^\s*\d{1,12}\s*$/.test(line) ? Number(line) : Number.NaN
    if (!(atMs >= lastMs)) {
      const expected = 'a head line start_ms,dur_ms,mbps, or milliseconds that do not fall, one a line (Mahimahi)'
      throw new RangeError(`${name}, line ${at + 1}: expected ${expected}, got ${quote(line)}`)
    }
    lastMs = atMs
    const bin = Math.floor(atMs / MAHIMAHI_BIN_MS)
    packets[bin] = (packets[bin] ?? 0) + 1
  }
  return Array.from(packets, (count = 0) => ({
    durationMs: MAHIMAHI_BIN_MS,
    mbps: (count * MAHIMAHI_BYTES * 1000) / MAHIMAHI_BIN_MS / BYTES_PER_MBIT,
  }))
}

function quote(line: string): string {
  return JSON.stringify(line.slice(0, 80))
}
