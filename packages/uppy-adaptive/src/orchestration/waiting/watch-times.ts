/** Sessions are scored this often (METHODS, finding 3: 250–500 ms). */
export const TICK_MS = 250
/** A tick this late means that we slept, not the servers. */
export const LOCAL_PAUSE_MS = 1_500
/** A store that answers on another connection is believed after this much more silence on the first (guess). */
export const GRACE_MS = 500
