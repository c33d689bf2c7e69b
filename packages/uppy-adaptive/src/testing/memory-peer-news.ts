import type { RangeSet } from 'tus-reconcile-protocol'
import { subtractRanges } from 'tus-reconcile-protocol'
import type { Landed, MemoryGroup } from './memory-group.js'

/** At the home: a peer has verified these. */
export function hearReport(group: MemoryGroup, store: string, leaves: ReadonlyMap<number, string>): void {
  if (group.hasEnded) return
  const { blocks } = group
  const landed: Landed = { verified: [], bad: [] }
  const elsewhere: number[] = []
  for (const [index, leaf] of leaves) {
    const known = blocks.isVerified(index) || blocks.reports.leafOf(index) !== undefined
    blocks.report(store, index, leaf)
    const outcome = blocks.claim(index, leaf)
    if (outcome === 'verified' || outcome === 'bad') landed[outcome].push(index)
    if (outcome !== 'verified' && !known) elsewhere.push(index)
  }
  group.sweep()
  group.tell(landed)
  group.save()
  group.sayVerified(group.rangesOf(elsewhere))
  if (elsewhere.length > 0) group.coverageChanged()
}

/** At the home: these blocks of a peer could not be had after all. */
export function hearWithdrawal(group: MemoryGroup, store: string, indices: readonly number[]): void {
  if (group.hasEnded) return
  const { blocks } = group
  for (const index of indices) blocks.withdraw(store, index)
  const gone = indices.filter((index) => !blocks.isVerified(index) && blocks.reports.leafOf(index) === undefined)
  if (gone.length === 0) return
  group.publish({ type: 'bad', group: group.id, ranges: group.rangesOf(gone) })
  group.coverageChanged()
}

/** At a peer: the home says what is verified somewhere. */
export function hearCoverage(group: MemoryGroup, verified: RangeSet): void {
  if (group.hasEnded) return
  const news = subtractRanges(verified, group.blocks.verifiedAnywhere)
  group.blocks.elsewhere = verified
  group.sweep()
  group.save()
  group.sayVerified(news)
}

/** At the home: a block that a peer had. */
export function takePulled(group: MemoryGroup, index: number, bytes: Uint8Array): void {
  if (group.hasEnded || group.blocks.isVerified(index)) return
  group.blocks.replace(index, bytes, 'peer')
  if (group.commitRoot === undefined) group.pulledEarly += bytes.length
  else group.pulledAtCommit += bytes.length
  group.sweep()
  group.save()
  group.publish({ type: 'pulled', group: group.id, ranges: group.rangesOf([index]) })
  group.coverageChanged()
}
