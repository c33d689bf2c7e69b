import { FAULT_KINDS } from './faults.js'

/** What a full run must have seen at least once. */
export const EXPECTED: readonly string[] = [...FAULT_KINDS.map((kind) => `fault ${kind}`)]
