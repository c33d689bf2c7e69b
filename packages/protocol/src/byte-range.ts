/** A half-open range of bytes, `[start, end)`, at absolute offsets of a file. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** Ranges in ascending order that neither touch nor overlap nor are empty. Values are never changed in place. */
export type RangeSet = readonly ByteRange[]

export const EMPTY_RANGES: RangeSet = []

export function rangeLength(range: ByteRange): number {
  return Math.max(0, range.end - range.start)
}

/** The union of any ranges, in any order, as a set. */
export function toRangeSet(ranges: Iterable<ByteRange>): RangeSet {
  const sorted = [...ranges].filter((range) => range.end > range.start).sort((a, b) => a.start - b.start)
  const merged: { start: number; end: number }[] = []
  for (const range of sorted) {
    const last = merged.at(-1)
    if (last && range.start <= last.end) last.end = Math.max(last.end, range.end)
    else merged.push({ start: range.start, end: range.end })
  }
  return merged
}

export function addRanges(set: RangeSet, ...ranges: ByteRange[]): RangeSet {
  return toRangeSet([...set, ...ranges])
}

/** What is in `set` and in none of `removed`. Both are sets; linear in their lengths. */
export function subtractRanges(set: RangeSet, removed: RangeSet): RangeSet {
  const kept: ByteRange[] = []
  let next = 0
  for (const range of set) {
    let start = range.start
    while (next < removed.length && (removed[next]?.end ?? 0) <= start) next++
    for (let i = next; i < removed.length; i++) {
      const hole = removed[i]
      if (!hole || hole.start >= range.end) break
      if (hole.start > start) kept.push({ start, end: hole.start })
      start = Math.max(start, hole.end)
    }
    if (start < range.end) kept.push({ start, end: range.end })
  }
  return kept
}

/** What is in both sets. Linear in their lengths. */
export function intersectRanges(a: RangeSet, b: RangeSet): RangeSet {
  const common: ByteRange[] = []
  let i = 0
  let j = 0
  while (i < a.length && j < b.length) {
    const left = a[i]
    const right = b[j]
    if (!left || !right) break
    const start = Math.max(left.start, right.start)
    const end = Math.min(left.end, right.end)
    if (start < end) common.push({ start, end })
    if (left.end < right.end) i++
    else j++
  }
  return common
}

/** What of `[0, size)` is not in the set. */
export function missingRanges(set: RangeSet, size: number): RangeSet {
  return subtractRanges(size > 0 ? [{ start: 0, end: size }] : [], set)
}

/** Logarithmic in the set's length. */
export function coversRange(set: RangeSet, range: ByteRange): boolean {
  if (range.end <= range.start) return true
  // the last that begins by then
  let [low, high] = [0, set.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((set[middle]?.start ?? 0) <= range.start) low = middle + 1
    else high = middle
  }
  return (set[low - 1]?.end ?? 0) >= range.end
}

export function totalBytes(set: RangeSet): number {
  return set.reduce((sum, range) => sum + rangeLength(range), 0)
}
