import type { Coverage } from './coverage.js'
import { FAULT_KINDS } from './faults.js'

/** Of so many seeds everything is expected to happen. */
const FULL_RUN = 2_000

/** What a full run must have seen at least once: faults, changes of state, and what the invariants are about. */
export const EXPECTED: readonly string[] = [
  ...FAULT_KINDS.map((kind) => `fault ${kind}`),
  ...['none -> inProgress', 'inProgress -> completed', 'inProgress -> superseded', 'inProgress -> failed'].map(
    (change) => `session ${change}`,
  ),
  ...['completed', 'superseded', 'failed (terminated)', 'failed (expired)'].map(
    (end) => `server's session inProgress -> ${end}`,
  ),
  ...['ready', 'suspect', 'returned', 'left out'].map((state) => `store ${state}`),
  ...[
    'open -> committing',
    'open -> committed',
    'open -> terminated',
    'open -> expired',
    'committing -> committed',
    'committing -> open',
  ].map((change) => `group ${change}`),
  ...['losesAnswers', 'losesOperations', 'swallowsAnswers', 'repeats', 'refusesLength', 'flipsByte'].map(
    (mishap) => `path ${mishap}`,
  ),
  ...['cutsStream', 'reordersEvents'].map((mishap) => `path ${mishap}`),
  ...['noAlternative', 'gain', 'concurrency', 'off'].map((code) => `withheld ${code}`),
  ...['freshConnection', 'otherRoute'].map((remedy) => `remedy ${remedy}`),
  ...['add', 'keep', 'giveBack'].map((kind) => `concurrency ${kind}`),
  ...['split', 'takeOver', 'copy', 'cut', 'bad', 'resent', 'relayed', 'localPause'].map((type) => `event ${type}`),
  ...['done', 'cancelled', 'aborted', 'refused', 'server-full', 'unreachable', 'gave-up', 'gone'].map(
    (outcome) => `outcome ${outcome}`,
  ),
  ...[
    'a server crashes that has acknowledged bytes',
    'a copy was begun',
    'a file was made',
    'a store has several sessions',
    'an upload has all its sessions',
    'an upload ends by itself once nothing is wrong',
    'nothing is left running after done',
    'nothing is left running after failed',
    'nothing is left running after aborted',
    'nothing is left running after cancelled',
    'nothing is open after a pause',
    'progress while bytes came twice',
    "sessions in flight while the user's own link was out",
    'something was left to expiry',
    'two bodies at once',
  ].map((condition) => `precondition ${condition}`),
]

/** What should have happened and has not, where there were seeds enough. */
export function neverSeen(coverage: Coverage, seeds: number): string[] {
  return seeds < FULL_RUN ? [] : EXPECTED.filter((name) => coverage.of(name) === 0)
}
