import type { ByteRange, RangeSet } from 'tus-reconcile-protocol'
import { blockCeil, blockFloor, EMPTY_RANGES, subtractRanges, toRangeSet } from 'tus-reconcile-protocol'

export type Priority = 'high' | 'normal' | 'bulk'

/** First to last. */
const PRIORITIES: readonly Priority[] = ['high', 'normal', 'bulk']

/** Bytes with a priority of their own. As `slice` counts: a negative offset from the file's end, without `end` up to it. */
export interface PriorityRange {
  readonly start: number
  readonly end?: number
  readonly priority: Priority
}

/** Bytes of one file that share a priority. */
export interface RankedRange extends ByteRange {
  readonly priority: Priority
}

/** How much longer or shorter than usual a partition of this priority may take (guess: halves and doubles, to be tuned). */
const WINDOW_FACTOR: Record<Priority, number> = { high: 0.5, normal: 1, bulk: 2 }

/** Types that somebody waits to see, and types that are stored to be fetched later (guess, overridden by the application). */
const WAITED_FOR = /^(image|text)\//
const STORED = /^(video\/|application\/(zip|gzip|x-tar|x-7z-compressed|x-iso9660-image)$)/
const VIDEO = /^video\//
/** Where a player looks for what it must know before it shows anything; an hour of mp4 has about 1 MB of it (guess). */
const VIDEO_HEAD: readonly PriorityRange[] = [{ start: 0, end: 2 * 1024 * 1024, priority: 'high' }]

export function windowFactor(priority: Priority): number {
  return WINDOW_FACTOR[priority]
}

/** The priority of a content type when the application names none. */
export function priorityOfType(contentType: string | undefined): Priority {
  if (!contentType) return 'normal'
  if (WAITED_FOR.test(contentType)) return 'high'
  return STORED.test(contentType) ? 'bulk' : 'normal'
}

/** In which order a file's bytes go: what the application says of all or some of them, else what its content type does. */
export function orderOfFile(
  file: { readonly sizeBytes: number; readonly contentType: string | undefined },
  given: Priority | readonly PriorityRange[] | undefined,
): readonly RankedRange[] {
  const { sizeBytes, contentType } = file
  if (typeof given === 'string') return rankRanges(sizeBytes, given, [])
  const usual = contentType && VIDEO.test(contentType) ? VIDEO_HEAD : []
  return rankRanges(sizeBytes, priorityOfType(contentType), given ?? usual)
}

/**
 * The whole file cut up by priority, in the order in which its bytes go: by priority, then by offset. Ranges grow to whole
 * blocks, as partitions are; where some overlap the higher priority holds, and what is in none has `otherwise`.
 */
export function rankRanges(
  sizeBytes: number,
  otherwise: Priority,
  ranges: readonly PriorityRange[],
): readonly RankedRange[] {
  const named = new Map<Priority, RangeSet>()
  let rest: RangeSet = toRangeSet([{ start: 0, end: sizeBytes }])
  for (const priority of PRIORITIES) {
    const wanted = toRangeSet(
      ranges.filter((range) => range.priority === priority).map((range) => inBlocks(range, sizeBytes)),
    )
    const left = subtractRanges(rest, wanted)
    named.set(priority, subtractRanges(rest, left))
    rest = left
  }
  return PRIORITIES.flatMap((priority) => {
    const own = named.get(priority) ?? EMPTY_RANGES
    const all = priority === otherwise ? toRangeSet([...own, ...rest]) : own
    return all.map((range) => ({ ...range, priority }))
  })
}

function inBlocks({ start, end = Number.POSITIVE_INFINITY }: PriorityRange, sizeBytes: number): ByteRange {
  const [from, to] = [offsetIn(start, sizeBytes), offsetIn(end, sizeBytes)]
  return from < to ? { start: blockFloor(from), end: blockCeil(to, sizeBytes) } : { start: from, end: from }
}

function offsetIn(offset: number, sizeBytes: number): number {
  return Math.min(Math.max(offset < 0 ? sizeBytes + offset : offset, 0), sizeBytes)
}
