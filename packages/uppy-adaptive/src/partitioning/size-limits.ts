import { BLOCK_SIZE } from 'tus-reconcile-protocol'

/** Bounds of a partition's size, bytes. A host's own limit on a request's body bounds bodies, not partitions (DESIGN 5.4). */
export interface SizeLimits {
  readonly minSizeBytes: number
  readonly maxSizeBytes: number
}

/** One block, and 64 MiB (METHODS, Sizing: the bounds of the published rules). */
export const DEFAULT_LIMITS: SizeLimits = { minSizeBytes: BLOCK_SIZE, maxSizeBytes: 64 * 1024 * 1024 }

/** The nearest whole number of blocks within the limits, at least one block. */
export function clampSize(sizeBytes: number, limits: SizeLimits): number {
  const bounded = Math.min(Math.max(sizeBytes, limits.minSizeBytes), limits.maxSizeBytes)
  return Math.max(1, Math.round(bounded / BLOCK_SIZE)) * BLOCK_SIZE
}
