/** METHODS, finding 3: a straggler takes over twice its plan. */
export const STRAGGLER_FACTOR = 2
