import type { Chance } from './chance.js'

/** How often each kind of fault is chosen, beside the others. */
const WEIGHTS = {
  pathSilent: 12,
  pathSlow: 8,
  lastMileOut: 8,
  lastMileSlow: 3,
  answersLost: 6,
  operationsLost: 4,
  answersSwallowed: 4,
  requestRepeated: 3,
  eventsHeld: 3,
  eventsReordered: 4,
  eventsCut: 3,
  serverCrash: 7,
  serverCrashUnrecorded: 7,
  serverBusy: 3,
  bodyLimitTold: 2,
  bodyLimitUntold: 2,
  peersCut: 4,
  machineSleeps: 4,
  pageFrozen: 3,
  bytesCorrupted: 2,
  mirrorRefuses: 1,
  mirrorFull: 1,
  homeRefuses: 0.8,
  homeFull: 0.5,
  userPauses: 4,
  userAborts: 3,
  userCancels: 2,
  userReloads: 3,
  userVanishes: 0.7,
  userIsLongAway: 1,
  secondClient: 1.5,
} as const

export type FaultKind = keyof typeof WEIGHTS

export const FAULT_KINDS: readonly FaultKind[] = Object.keys(WEIGHTS) as FaultKind[]

/** Something that goes wrong at a time for a while. */
export interface FaultPlan {
  readonly kind: FaultKind
  readonly atMs: number
  readonly forMs: number
  readonly server: number
  readonly route: number
  /** What else it needs: a share, or a count; each kind says. */
  readonly share: number
  readonly count: number
}

export function planFaults(chance: Chance, o: { servers: number; routes: number }): FaultPlan[] {
  const count = chance.whole(1, 8)
  const faults = Array.from({ length: count }, (): FaultPlan => {
    const kind = chance.weighted(WEIGHTS)
    return {
      kind,
      // who refuses, refuses from the beginning
      atMs: kind.endsWith('Refuses') || chance.isTrue(0.15) ? 0 : chance.scale(50, 20_000),
      forMs: lastsMs(kind, chance),
      server: chance.whole(0, o.servers - 1),
      route: chance.whole(0, o.routes - 1),
      share: chance.scale(0.01, 0.6),
      count: chance.whole(1, 4),
    }
  })
  return faults.sort((a, b) => a.atMs - b.atMs)
}

function lastsMs(kind: FaultKind, chance: Chance): number {
  if (kind === 'userCancels' || kind === 'userVanishes') return 0
  if (kind === 'userIsLongAway') return chance.scale(200_000, 4_000_000)
  if (kind === 'machineSleeps') return chance.scale(2_000, 600_000)
  return chance.scale(100, 60_000)
}
