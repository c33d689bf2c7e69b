import { BLOCK_SIZE } from 'tus-reconcile-protocol'

/** Bounds of a partition's size, bytes. A host's own limit on a request's body bounds bodies, not partitions (DESIGN 5.4). */
export interface SizeLimits {
  readonly minSizeBytes: number
  readonly maxSizeBytes: number
}

/** One block, and 64 MiB (METHODS, Sizing: the bounds of the published rules). */
export const DEFAULT_LIMITS: SizeLimits = { minSizeBytes: BLOCK_SIZE, maxSizeBytes: 64 * 1024 * 1024 }

/** The nearest whole number of blocks within the limits; where no whole number is, the largest below them, at least one. */
export function clampSize(sizeBytes: number, limits: SizeLimits): number {
  const bounded = Math.min(Math.max(sizeBytes, limits.minSizeBytes), limits.maxSizeBytes)
  const least = Math.ceil(limits.minSizeBytes / BLOCK_SIZE)
  const most = Math.max(1, Math.floor(limits.maxSizeBytes / BLOCK_SIZE))
  return Math.min(Math.max(Math.round(bounded / BLOCK_SIZE), least), most) * BLOCK_SIZE
}
