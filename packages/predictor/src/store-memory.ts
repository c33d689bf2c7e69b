import type { CompletionOutcome } from './completion-survival.js'
import type { FailureEvidence } from './failure-history.js'
import type { KnownGoodput } from './goodput.js'
import type { KnownRtt } from './request-rtt.js'
import type { KnownGaps } from './stall-suspicion.js'
import { list, number, object } from './state-reader.js'

/** What is worth keeping of a store when the page is closed. */
export interface StoreMemory {
  readonly failures: FailureEvidence
  readonly gaps: KnownGaps
  readonly startGaps: KnownGaps
  readonly requestRtt: KnownRtt | undefined
  readonly goodput: KnownGoodput | undefined
  /** Goodputs of the last partitions, bytes per second, oldest first. */
  readonly partitions: readonly number[]
  /** ln(actual / planned) of the last sessions, oldest first. */
  readonly completions: readonly CompletionOutcome[]
}

/** METHODS, Risk: half of a failure is forgotten in ten minutes of idleness; rates too (guess). */
const SHORT_HALF_LIFE_MS = 600_000
/** Guess: a store's rhythm, and how well plans hold there, last longer. */
const LONG_HALF_LIFE_MS = 86_400_000
const MOST = Number.MAX_SAFE_INTEGER
const MOST_PARTITIONS = 5
const MOST_COMPLETIONS = 64
const MOST_LOG = 50

/** The same memory after so much time in which nothing was seen. */
export function aged(memory: StoreMemory, ageMs: number): StoreMemory {
  const short = 0.5 ** (ageMs / SHORT_HALF_LIFE_MS)
  const long = 0.5 ** (ageMs / LONG_HALF_LIFE_MS)
  const { failures, requestRtt, goodput, partitions, completions } = memory
  const older = (gaps: KnownGaps): KnownGaps => ({ ...gaps, gaps: Math.max(1, gaps.gaps * long) })
  return {
    failures: { failures: failures.failures * short, seconds: failures.seconds * short },
    gaps: older(memory.gaps),
    startGaps: older(memory.startGaps),
    // RFC 6298 begins with half the round trip as its variation: what is old is as uncertain again
    requestRtt: requestRtt && {
      ...requestRtt,
      variationMs: Math.max(requestRtt.variationMs, ((1 - short) * requestRtt.smoothedMs) / 2),
    },
    goodput: goodput && { ...goodput, weightMs: goodput.weightMs * short, totalBytes: goodput.totalBytes * short },
    partitions: short < 0.5 ? [] : partitions,
    completions: completions.slice(completions.length - Math.round(completions.length * long)),
  }
}

/** Small: four digits, no names where the order says it. */
export function encodeStore(store: string, memory: StoreMemory): Record<string, unknown> {
  const { failures, gaps, startGaps, requestRtt, goodput, partitions, completions } = memory
  const rhythm = (known: KnownGaps): number[] => [known.meanLog, known.variance, known.gaps].map(brief)
  return {
    store,
    failures: [failures.failures, failures.seconds].map(brief),
    gaps: rhythm(gaps),
    startGaps: rhythm(startGaps),
    ...(requestRtt && {
      requestRtt: [requestRtt.smoothedMs, requestRtt.variationMs, requestRtt.minimumMs].map(brief),
    }),
    ...(goodput && {
      goodput: [goodput.fast, goodput.slow, goodput.weightMs, goodput.totalBytes].map(brief),
    }),
    partitions: partitions.map(brief),
    // hundredths: even for a completion, odd for a censored one
    completions: completions.map(({ log, censored }) => 2 * Math.round(100 * log) + (censored ? 1 : 0)),
  }
}

/** @throws PredictorError `invalidState`, naming what is wrong. */
export function decodeStore(path: string, value: unknown): StoreMemory {
  const record = object(path, value)
  const numbers = (key: string, ranges: [number, number][]): number[] => {
    const values = list(`${path}.${key}`, record[key], ranges.length)
    return ranges.map(([least, most], index) => number(`${path}.${key}[${index}]`, values[index], least, most))
  }
  const optional = (key: string, ranges: [number, number][]): number[] | undefined =>
    record[key] === undefined ? undefined : numbers(key, ranges)
  const rhythm = (key: string): KnownGaps => {
    const [meanLog = 0, variance = 0, gaps = 1] = numbers(key, [
      [0, MOST_LOG],
      [0, MOST_LOG ** 2],
      [1, 1e6],
    ])
    return { meanLog, variance, gaps }
  }
  const [failed = 0, seconds = 0] = numbers('failures', [
    [0, 1e9],
    [0, 1e9],
  ])
  const rtt = optional('requestRtt', [
    [0, MOST],
    [0, MOST],
    [0, MOST],
  ])
  const rates = optional('goodput', [
    [0, MOST * 1000],
    [0, MOST * 1000],
    [0, MOST],
    [0, Number.MAX_VALUE],
  ])
  const each = (key: string, most: number, range: [number, number]): number[] =>
    list(`${path}.${key}`, record[key], undefined, most).map((item, n) =>
      number(`${path}.${key}[${n}]`, item, ...range),
    )
  return {
    failures: { failures: failed, seconds },
    gaps: rhythm('gaps'),
    startGaps: rhythm('startGaps'),
    requestRtt: rtt && { smoothedMs: rtt[0] ?? 0, variationMs: rtt[1] ?? 0, minimumMs: rtt[2] ?? 0 },
    goodput: rates && {
      fast: rates[0] ?? 0,
      slow: rates[1] ?? 0,
      weightMs: rates[2] ?? 0,
      totalBytes: rates[3] ?? 0,
    },
    partitions: each('partitions', MOST_PARTITIONS, [0, MOST * 1000]),
    completions: each('completions', MOST_COMPLETIONS, [-1_500, 1_500]).map((code) => ({
      log: Math.floor(code / 2) / 100,
      censored: Math.abs(code % 2) === 1,
    })),
  }
}

/** Four digits are more than was measured. */
export function brief(value: number): number {
  return Number(value.toPrecision(4))
}
