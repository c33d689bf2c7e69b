import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { parseTrace } from 'reconcile-test-support/links/trace'

/** Capacity of a last mile over time; it starts anew at its end. */
export class LinkTrace {
  readonly name: string
  readonly lengthMs: number
  readonly #startsMs: readonly number[]
  readonly #bytesPerMs: readonly number[]

  /** @throws RangeError without a segment, or for one that does not last or has no rate */
  constructor(name: string, segments: readonly { readonly durationMs: number; readonly mbps: number }[]) {
    const startsMs: number[] = []
    let atMs = 0
    for (const { durationMs, mbps } of segments) {
      if (!(durationMs > 0) || !(mbps >= 0) || !Number.isFinite(durationMs + mbps)) {
        throw new RangeError(
          `${name}: a segment lasts ${durationMs} ms at ${mbps} Mbit/s: both must be finite, not negative`,
        )
      }
      startsMs.push(atMs)
      atMs += durationMs
    }
    if (atMs === 0) throw new RangeError(`${name} has no segment`)
    this.name = name
    this.lengthMs = atMs
    this.#startsMs = startsMs
    this.#bytesPerMs = segments.map(({ mbps }) => mbps * 125)
  }

  bytesPerMsAt(timeMs: number): number {
    return this.#bytesPerMs[this.#segmentAt(((timeMs % this.lengthMs) + this.lengthMs) % this.lengthMs)] ?? 0
  }

  get meanBytesPerMs(): number {
    const bytes = this.#bytesPerMs.map(
      (rate, at) => rate * ((this.#startsMs[at + 1] ?? this.lengthMs) - (this.#startsMs[at] ?? 0)),
    )
    return bytes.reduce((a, b) => a + b, 0) / this.lengthMs
  }

  #segmentAt(timeMs: number): number {
    let [low, high] = [0, this.#startsMs.length - 1]
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((this.#startsMs[middle] ?? 0) <= timeMs) low = middle
      else high = middle - 1
    }
    return low
  }
}

/** All CSV files of a folder by name; none where the folder is missing. */
export async function readTraces(folder: string): Promise<LinkTrace[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const files = names.filter((name) => name.endsWith('.csv')).sort()
  return Promise.all(
    files.map(async (file) => {
      const { name, segments } = parseTrace(basename(file, '.csv'), await readFile(join(folder, file), 'utf8'))
      return new LinkTrace(name, segments)
    }),
  )
}
