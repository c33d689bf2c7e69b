import { blockCeil } from 'tus-reconcile-protocol'
import type { Priority } from './priority.js'
import { windowFactor } from './priority.js'
import type { SizeLimits } from './size-limits.js'
import { clampSize } from './size-limits.js'

export interface SizerInput {
  /** Forecast goodput of one session to this store; undefined while nothing is known. */
  readonly goodputBytesPerSecond: number | undefined
  readonly requestRttMs: number
  /** The shortest that was seen on this path: without a queue. */
  readonly minRequestRttMs: number
  /** Mean time between failures that lose work, on this store and its path. */
  readonly meanTimeBetweenFailuresMs: number
  /** Share of a partition's work that a failure loses: 0 none, 1 all of it. */
  readonly lostShare: number
  /** Share of gaps between acknowledgements that are so long that something was lost: 0 none, 1 all. */
  readonly lossShare?: number | undefined
  /** How many times as long as planned this store's partitions take. */
  readonly stretch: number
  /** Size of the last partition on this store; undefined for the first. */
  readonly previousBytes: number | undefined
  /** Bytes nobody has been given yet, and how many sessions share them. */
  readonly unassignedBytes: number
  /** Of these, what goes before all the rest; undefined where this partition is none of that. */
  readonly urgentBytes?: number | undefined
  readonly concurrency: number
  /** This session's part of what all send together, 0 to 1: the fast take more of the end than the slow. */
  readonly rateShare: number
  /** What all sessions send together, bytes per second; undefined while that is not known. */
  readonly aggregateBytesPerSecond: number | undefined
  /** Nobody else sends, and nobody is to: each more request would cost a round trip and gain nothing (METHODS, finding 5). */
  readonly isAlone: boolean
  readonly priority: Priority
  readonly initialBytes: number
  /** When given, replaces the computed window. */
  readonly targetSeconds?: number | undefined
  readonly limits: SizeLimits
}

export interface SizeDecision {
  readonly sizeBytes: number
  /** How long the partition should take, milliseconds. */
  readonly windowMs: number
  readonly reason: 'initial' | 'window' | 'growth' | 'shrink' | 'endgame' | 'priority' | 'alone'
}

/** METHODS, Sizing: 2–8 s. Half of that, so that a file of twenty seconds still has room to react (guess). */
const MIN_WINDOW_MS = 1_000
const MAX_WINDOW_MS = 4_000
/**
 * On a long path a partition takes at least so many round trips, and up to twice as many: a new connection needs half of
 * them to find its pace (slow start from ten segments fills 20 Mbit/s at 600 ms after seven; RFC 6928).
 */
const MIN_WINDOW_RTTS = 8
/** At most doubled or halved from one partition to the next (METHODS, Sizing). */
const MAX_STEP = 2
/** Guess: beyond it failures say more. */
const MOST_LOSS_SHARE = 0.5
/** Near the end a partition still takes at least this long, so that requests do not outnumber bytes (guess). */
const MIN_END_WINDOW_MS = 300
const MIN_END_WINDOW_RTTS = 4

/**
 * Size of the next partition by Young and Daly: the window that balances a fixed cost d per partition against the work
 * lost on a failure is W* = sqrt(2 d M / r), where M is the mean time between failures and r the share of work lost
 * (Young 1974, Daly 2006). size = W* × goodput, within the step, the limits, and half of a fair share of the rest (guided
 * self-scheduling, Polychronopoulos 1987).
 */
export function decidePartitionSize(input: SizerInput): SizeDecision {
  if (input.isAlone && input.targetSeconds === undefined)
    return {
      sizeBytes: clampSize(blockCeil(input.unassignedBytes, Number.POSITIVE_INFINITY), input.limits),
      windowMs: 0,
      reason: 'alone',
    }
  const windowMs = estimateWindowMs(input)
  const { goodputBytesPerSecond: goodput, previousBytes: previous } = input
  const wanted = goodput === undefined ? (previous ?? input.initialBytes) : (goodput * windowMs) / 1000
  const bounded = previous === undefined ? Math.min(wanted, input.initialBytes) : Math.min(wanted, previous * MAX_STEP)
  const stepped = previous === undefined ? bounded : Math.max(bounded, previous / MAX_STEP, estimateInFlight(input))
  const endWindowMs = Math.max(MIN_END_WINDOW_MS, MIN_END_WINDOW_RTTS * input.minRequestRttMs)
  // while no rate is known, no share of the rest is fair: a small file goes out in one piece
  const endShare =
    goodput === undefined
      ? Number.POSITIVE_INFINITY
      : Math.max((input.unassignedBytes * input.rateShare) / 2, (goodput * endWindowMs) / 1000, estimateInFlight(input))
  const urgentShare = estimateUrgentShare(input)
  const sizeBytes = clampSize(Math.min(stepped, endShare, urgentShare), input.limits)
  if (urgentShare < Math.min(stepped, endShare)) return { sizeBytes, windowMs, reason: 'priority' }
  return { sizeBytes, windowMs, reason: nameReason({ wanted, stepped, endShare, known: goodput !== undefined }) }
}

/** What the link holds at once: a connection that carries less never leaves slow start, however slow that makes it look. */
function estimateInFlight({ aggregateBytesPerSecond = 0, minRequestRttMs }: SizerInput): number {
  return (aggregateBytesPerSecond * minRequestRttMs) / 1000
}

/** What goes first is shared by all who can send it, so that nobody waits for one of them; it may be all that there is. */
function estimateUrgentShare({ urgentBytes, unassignedBytes, concurrency }: SizerInput): number {
  const isAll = urgentBytes === undefined || urgentBytes >= unassignedBytes
  return isAll ? Number.POSITIVE_INFINITY : urgentBytes / concurrency
}

function estimateWindowMs(input: SizerInput): number {
  const factor = windowFactor(input.priority)
  if (input.targetSeconds !== undefined) return input.targetSeconds * 1000 * factor
  // d: a request and its answer, and the server's finish, which the other half round trip stands for
  const fixedCostMs = Math.max(1, 1.5 * input.requestRttMs)
  const window = Math.sqrt((2 * fixedCostMs * input.meanTimeBetweenFailuresMs) / Math.max(input.lostShare, 0.01))
  const leastMs = Math.max(MIN_WINDOW_MS, MIN_WINDOW_RTTS * input.minRequestRttMs)
  const mostMs = Math.max(MAX_WINDOW_MS, 2 * leastMs)
  return Math.min(Math.max(window * degradation(input), leastMs), mostMs) * factor
}

/** What is lost, or takes longer than forecast, makes more of a partition late than its store's failures alone (guess: in proportion). */
function degradation({ lossShare = 0, stretch }: SizerInput): number {
  return (1 - Math.min(lossShare, MOST_LOSS_SHARE)) / Math.max(1, stretch)
}

function nameReason(o: { wanted: number; stepped: number; endShare: number; known: boolean }): SizeDecision['reason'] {
  if (o.endShare < o.stepped) return 'endgame'
  if (!o.known) return 'initial'
  if (o.stepped < o.wanted) return 'growth'
  return o.stepped > o.wanted ? 'shrink' : 'window'
}
