/** Of items of which those that fulfil it stand before the others: how many do. In logarithmic time. */
export function countWhere<T>(items: readonly T[], fulfils: (item: T) => boolean): number {
  let low = 0
  let high = items.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (fulfils(items[middle] as T)) low = middle + 1
    else high = middle
  }
  return low
}

/** The last of them. */
export function lastWhere<T>(items: readonly T[], fulfils: (item: T) => boolean): T | undefined {
  return items[countWhere(items, fulfils) - 1]
}
