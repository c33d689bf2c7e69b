import type { ByteRange, RangeSet } from 'tus-reconcile-protocol'
import { rangeLength } from 'tus-reconcile-protocol'

/** So many ranges stand in one array: few enough to move at once (guess; 128 and 1,024 cost the same at 100,000). */
const MOST_PER_CHUNK = 512

/** Where a range stands, or would. */
interface Place {
  readonly chunk: number
  readonly at: number
}

/**
 * A set of bytes that changes: ranges in ascending order that neither touch nor overlap nor are empty. Finding, adding and
 * removing one take logarithmic time, beside what is found or replaced.
 */
export class RangeIndex {
  /** None is empty. */
  readonly #chunks: ByteRange[][] = []
  #totalBytes = 0

  get totalBytes(): number {
    return this.#totalBytes
  }

  add({ start, end }: ByteRange): void {
    if (end <= start) return
    const place = this.#firstEnding(start)
    let [count, from, to] = [0, start, end]
    // those that touch become one with it
    for (const range of this.#from(place)) {
      if (range.start > end) break
      count += 1
      from = Math.min(from, range.start)
      to = Math.max(to, range.end)
    }
    this.#replace(place, count, [{ start: from, end: to }])
  }

  remove({ start, end }: ByteRange): void {
    if (end <= start) return
    const place = this.#firstEnding(start + 1)
    let count = 0
    const kept: ByteRange[] = []
    for (const range of this.#from(place)) {
      if (range.start >= end) break
      count += 1
      if (range.start < start) kept.push({ start: range.start, end: start })
      if (range.end > end) kept.push({ start: end, end: range.end })
    }
    if (count > 0) this.#replace(place, count, kept)
  }

  covers(range: ByteRange): boolean {
    if (range.end <= range.start) return true
    const [first] = this.within(range)
    return first !== undefined && rangeLength(first) === rangeLength(range)
  }

  /** What of the range is in the set, ascending. Nothing may be changed before it ends. */
  *within({ start, end }: ByteRange): Generator<ByteRange> {
    if (end <= start) return
    for (const range of this.#from(this.#firstEnding(start + 1))) {
      if (range.start >= end) return
      yield { start: Math.max(start, range.start), end: Math.min(end, range.end) }
    }
  }

  /** What of the range is not in the set, ascending. Nothing may be changed before it ends. */
  *gaps({ start, end }: ByteRange): Generator<ByteRange> {
    let from = start
    for (const range of this.within({ start, end })) {
      if (range.start > from) yield { start: from, end: range.start }
      from = range.end
    }
    if (from < end) yield { start: from, end }
  }

  /** How many of the range's bytes are in the set. */
  bytesWithin(range: ByteRange): number {
    let bytes = 0
    for (const part of this.within(range)) bytes += rangeLength(part)
    return bytes
  }

  /** All of it: linear. */
  toSet(): RangeSet {
    return this.#chunks.flat()
  }

  *#from({ chunk, at }: Place): Generator<ByteRange> {
    for (let [c, i] = [chunk, at]; c < this.#chunks.length; c++, i = 0) {
      const ranges = this.#chunks[c] ?? []
      for (; i < ranges.length; i++) {
        const range = ranges[i]
        if (range) yield range
      }
    }
  }

  /** The first range that ends at `offset` or later; behind the last where none does. */
  #firstEnding(offset: number): Place {
    const chunk = lowest(this.#chunks.length, (c) => (this.#chunks[c]?.at(-1)?.end ?? 0) >= offset)
    const ranges = this.#chunks[chunk] ?? []
    return { chunk, at: lowest(ranges.length, (i) => (ranges[i]?.end ?? 0) >= offset) }
  }

  #replace({ chunk, at }: Place, count: number, by: readonly ByteRange[]): void {
    for (const range of by) this.#totalBytes += rangeLength(range)
    const first = this.#chunks[chunk]
    if (!first) {
      this.#chunks.push([...by])
      return
    }
    let left = count
    const removed = first.splice(at, left, ...by)
    left -= removed.length
    for (const range of removed) this.#totalBytes -= rangeLength(range)
    let whole = 0
    for (let next = this.#chunks[chunk + 1]; left > 0 && next; next = this.#chunks[chunk + 1 + whole]) {
      const isWhole = next.length <= left
      const gone = isWhole ? next : next.splice(0, left)
      left -= gone.length
      for (const range of gone) this.#totalBytes -= rangeLength(range)
      if (isWhole) whole += 1
    }
    this.#chunks.splice(chunk + 1, whole)
    this.#settle(chunk, first)
  }

  #settle(chunk: number, ranges: ByteRange[]): void {
    if (ranges.length === 0) this.#chunks.splice(chunk, 1)
    else if (ranges.length > MOST_PER_CHUNK) this.#chunks.splice(chunk + 1, 0, ranges.splice(ranges.length >> 1))
  }
}

/** The lowest of `[0, count)` for which it holds, which it does for all above as well; `count` where for none. */
function lowest(count: number, holds: (index: number) => boolean): number {
  let [low, high] = [0, count]
  while (low < high) {
    const middle = (low + high) >> 1
    if (holds(middle)) high = middle
    else low = middle + 1
  }
  return low
}
