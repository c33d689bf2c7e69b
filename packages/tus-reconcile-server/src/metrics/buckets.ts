/** Seconds: from an answer out of memory to a body of 120 s. */
export const REQUEST_BUCKETS: number[] = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 150]
/** Seconds: from the page cache to a disk in trouble. */
export const DISK_BUCKETS: number[] = [0.0005, 0.002, 0.01, 0.05, 0.2, 1, 5]
