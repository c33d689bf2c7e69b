import { RemainingTime } from 'upload-predictor'
import type { LinkTrace } from '../predictor/link-trace.js'

/** Shares of the file at which it is asked when the rest will be there. */
const ASKED_AT: readonly number[] = [0.1, 0.25, 0.5, 0.75, 0.9]
/** Acknowledgements come ten times a second at most. */
const TICK_MS = 100
/** Uploads take from ten seconds to five minutes at the link's own pace, spread over the orders of magnitude. */
const SHORTEST_MS = 10_000
const LONGEST_MS = 300_000
/** What no link of these takes: one that does is dead, and no upload. */
const NEVER_MS = 3_600_000

/** What was said over all uploads on one link, held against what came. */
export interface EtaCoverage {
  readonly link: string
  /** Questions that were answered: nothing is said in the first two seconds. */
  readonly asked: number
  /** Shares of them: the end came within what was said, before it, or after it. */
  readonly within: number
  readonly earlier: number
  readonly later: number
  /** The median of latest over earliest end. */
  readonly width: number
}

/** Uploads that have the link for themselves, from any moment of it on. */
export function measureEta(trace: LinkTrace, o: { uploads: number; random: () => number }): EtaCoverage {
  const answers = Array.from({ length: o.uploads }, () => {
    const offsetMs = o.random() * trace.lengthMs
    const aboutMs = SHORTEST_MS * (LONGEST_MS / SHORTEST_MS) ** o.random()
    return askDuring(trace, { offsetMs, aboutMs })
  }).flat()
  const share = (fits: (answer: Answer) => boolean) => answers.filter(fits).length / answers.length
  const widths = answers.map(({ leastMs, mostMs }) => mostMs / leastMs).sort((a, b) => a - b)
  return {
    link: trace.name,
    asked: answers.length,
    within: share(({ leastMs, mostMs, truthMs }) => leastMs <= truthMs && truthMs <= mostMs),
    earlier: share(({ leastMs, truthMs }) => truthMs < leastMs),
    later: share(({ mostMs, truthMs }) => truthMs > mostMs),
    width: widths[widths.length >> 1] ?? Number.NaN,
  }
}

interface Answer {
  readonly leastMs: number
  readonly mostMs: number
  readonly truthMs: number
}

/** @param o.aboutMs so many bytes as the link carries in that time */
function askDuring(trace: LinkTrace, o: { offsetMs: number; aboutMs: number }): Answer[] {
  const totalBytes = trace.meanBytesPerMs * o.aboutMs
  const time = new RemainingTime()
  const said: { atMs: number; leastMs: number; mostMs: number }[] = []
  let [bytes, atMs, questions] = [0, 0, 0]
  time.rest(0, 0)
  while (bytes < totalBytes) {
    bytes = Math.min(totalBytes, bytes + trace.bytesPerMsAt(o.offsetMs + atMs) * TICK_MS)
    atMs += TICK_MS
    if (atMs > NEVER_MS) return []
    time.acknowledged(atMs, bytes)
    while (bytes < totalBytes && bytes >= (ASKED_AT[questions] ?? 1) * totalBytes) {
      questions += 1
      const estimate = time.estimate(totalBytes - bytes)
      if (estimate) said.push({ atMs, ...estimate })
    }
  }
  return said.map(({ atMs: askedMs, leastMs, mostMs }) => ({ leastMs, mostMs, truthMs: atMs - askedMs }))
}
