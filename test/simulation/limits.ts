/** What the client has promised, from its documents: said here once more, so that a change of the engine's is noticed. */

/** `maxSessions` where nothing is set: those that send, over all stores. */
export const DEFAULT_MAX_SESSIONS = 12
/** To one host. */
export const MAX_SENDING_PER_STORE = 8

/** A session whose blocks are verified waits for its answer, which may still have a body to end, at most so long. */
export const ANSWER_PATIENCE_MS = 2_000

/** So long after a pause nothing of the upload is on the network. */
export const PAUSED_WITHIN_MS = 100

/** Of one request (DESIGN, 5.3). */
export const MAX_BODY_BYTES: number = 64 * 1024 * 1024

/** `redundancy` and `partitioning.initialSize` where nothing is set. */
export const DEFAULT_BUDGET = { share: 0.05, maxConcurrent: 2, initialSize: 1024 * 1024 } as const
