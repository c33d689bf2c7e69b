import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import type { UploadOptions } from '../../packages/uppy-adaptive/src/orchestration/options.js'
import { Chance } from './chance.js'
import { LIBRARY_BLOCKS } from './content.js'
import type { FaultPlan } from './faults.js'
import { planFaults } from './faults.js'

/** One way from the client to a server. */
export interface RoutePlan {
  readonly server: number
  readonly delayMs: number
  readonly upBytesPerSecond: number
  /** Of one connection, as where bytes are lost. */
  readonly connectionBytesPerSecond?: number
}

/** Everything that a seed decides before the first byte is sent. Times in simulated milliseconds. */
export interface Scenario {
  readonly seed: number
  readonly servers: number
  readonly routes: readonly RoutePlan[]
  readonly lastMileBytesPerSecond: number
  /** How long its full queue takes at that rate (default 0: what is small waits for nobody). */
  readonly lastMileQueueMs?: number
  readonly peerDelayMs: number
  readonly commitMs: number
  readonly expireMs: number
  readonly firstBlock: number
  readonly sizeBytes: number
  readonly options: Omit<UploadOptions, 'endpoint' | 'mirrors'>
  readonly faults: readonly FaultPlan[]
  /** When the last fault has ended and every user has come back. */
  readonly healedMs: number
}

export function planScenario(seed: number): Scenario {
  const chance = new Chance(`scenario ${seed}`)
  const servers = chance.weighted({ 1: 3, 2: 3, 3: 4 })
  const count = Number(servers)
  const blocks = chance.isTrue(0.02) ? 0 : Math.round(chance.scale(1, 32))
  const sizeBytes = Math.max(0, blocks * BLOCK_SIZE - (chance.isTrue(0.7) ? chance.whole(0, BLOCK_SIZE - 1) : 0))
  const routes = planRoutes(chance, count)
  const faults = chance.isTrue(0.05) ? [] : planFaults(chance, { servers: count, routes: routes.length })
  return {
    seed,
    servers: count,
    routes,
    lastMileBytesPerSecond: chance.scale(400_000, 8_000_000),
    lastMileQueueMs: planQueue(seed),
    peerDelayMs: chance.scale(1, 100),
    commitMs: chance.isTrue(0.5) ? 0 : chance.scale(5, 8_000),
    expireMs: chance.isTrue(0.8) ? 3_600_000 : chance.scale(20_000, 120_000),
    firstBlock: chance.whole(0, LIBRARY_BLOCKS - blocks - 1),
    sizeBytes,
    options: planOptions(chance),
    faults,
    healedMs: Math.max(0, ...faults.map(({ atMs, forMs }) => atMs + forMs)),
  }
}

/** Fair to what is small, usual or bloated. By a chance of its own: all else is planned as it was without queues. */
function planQueue(seed: number): number {
  const chance = new Chance(`queue ${seed}`)
  return chance.isTrue(0.4) ? 0 : chance.scale(20, 1_500)
}

function planRoutes(chance: Chance, servers: number): RoutePlan[] {
  const ways = Array.from({ length: servers }, (_, server) => server)
  if (chance.isTrue(0.25)) ways.push(chance.whole(0, servers - 1))
  const delayMs = chance.scale(2, 150)
  return ways.map((server) => ({
    server,
    delayMs: delayMs * chance.between(0.5, 2),
    upBytesPerSecond: chance.scale(200_000, 4_000_000),
    connectionBytesPerSecond: chance.isTrue(0.3) ? chance.scale(100_000, 1_000_000) : Number.POSITIVE_INFINITY,
  }))
}

function planOptions(chance: Chance): Scenario['options'] {
  const redundancy = {
    threshold: chance.pick([0.2, 0.5, 0.8]),
    budget: chance.pick([0, 0.05, 0.5]),
    maxConcurrent: chance.pick([0, 1, 2, 4]),
  }
  return {
    giveUpAfter: chance.pick([30, 120, 600]),
    ...(chance.isTrue(0.3) ? { maxSessions: chance.pick([1, 2, 4]) } : {}),
    partitioning: {
      initialSize: chance.pick([256, 512, 1024]) * 1024,
      ...(chance.isTrue(0.3) ? { maxSize: chance.pick([512, 1024, 4096]) * 1024 } : {}),
      ...(chance.isTrue(0.2) ? { targetSeconds: chance.between(0.5, 4) } : {}),
    },
    ...(chance.isTrue(0.2) ? { redundancy: false } : chance.isTrue(0.6) ? { redundancy } : {}),
  }
}
