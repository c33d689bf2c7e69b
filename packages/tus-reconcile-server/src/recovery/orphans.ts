import type { StoredBytes } from '../store/range-backend.js'

/** What to do with bytes of which there is no record. */
interface OrphanDecision {
  readonly kind: 'keep' | 'remove'
  readonly reason: string
}

/**
 * Bytes without a record were never acknowledged, unless the records were lost. So they are kept as long as an
 * unfinished upload would be, and then removed.
 */
export function decideOrphan(bytes: StoredBytes, nowMs: number, expireMs: number): OrphanDecision {
  const days = Math.floor((nowMs - bytes.changedAt) / 86_400_000)
  if (nowMs - bytes.changedAt > expireMs) {
    return { kind: 'remove', reason: `there is no record of these bytes, unchanged for ${days} days` }
  }
  return { kind: 'keep', reason: 'there is no record of these bytes; they are kept until unfinished uploads expire' }
}
