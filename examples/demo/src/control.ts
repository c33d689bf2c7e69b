import type { ScriptLog } from './script-log.js'
import type { World, WorldServer } from './world.js'
import { lastMileRates, ratesOf } from './world-plan.js'

const ACTIONS = ['slow', 'stall', 'resume', 'reset', 'cut', 'restore', 'kill', 'restart'] as const
type Action = (typeof ACTIONS)[number]

export interface ControlRequest {
  readonly server: number | 'lastMile'
  readonly action: Action
}

/** A request of the page's switches that cannot be done: says why. */
export class ControlError extends Error {}

/** What slow means: a twentieth. */
export const SLOWED: number = 1 / 20

/** @throws ControlError */
export function parseControl(json: unknown, servers: number): ControlRequest {
  if (typeof json !== 'object' || json === null || !('server' in json) || !('action' in json)) {
    throw new ControlError('POST { "server": 0, "action": "slow" } as JSON')
  }
  const action = ACTIONS.find((name) => name === json.action)
  if (!action) throw new ControlError(`action is one of ${ACTIONS.join(', ')}`)
  if (json.server === 'lastMile') {
    const known = ['slow', 'cut', 'stall', 'resume', 'restore'].includes(action)
    if (!known) throw new ControlError('the last mile knows slow, cut and restore')
    return { server: 'lastMile', action }
  }
  const { server } = json
  if (typeof server !== 'number' || !Number.isInteger(server) || server < 0 || server >= servers) {
    throw new ControlError(`server is lastMile or a number from 0 to ${servers - 1}`)
  }
  return { server, action }
}

/** Does what a person at the page asks for. */
export async function applyControl(world: World, log: ScriptLog, request: ControlRequest): Promise<void> {
  if (request.server === 'lastMile') return applyToLastMile(world, log, request.action)
  const server = world.servers[request.server]
  if (server) await applyToServer(server, log, request.action)
}

function applyToLastMile({ lastMile, plan }: World, log: ScriptLog, action: Action): void {
  switch (action) {
    case 'slow':
      lastMile.set(lastMileRates(plan, SLOWED))
      return log.note('lastMile', 'slow', 'slowed to 1/20 by hand')
    case 'cut':
    case 'stall':
      lastMile.cut()
      return log.note('lastMile', 'cut', 'cut by hand')
    default:
      lastMile.set(lastMileRates(plan))
      lastMile.restore()
      return log.note('lastMile', 'normal', 'back to normal by hand')
  }
}

async function applyToServer(
  { index, link, path, process }: WorldServer,
  log: ScriptLog,
  action: Action,
): Promise<void> {
  switch (action) {
    case 'slow':
      link.set({ upBytesPerSecond: path.upBytesPerSecond * SLOWED })
      return log.note(index, 'slow', 'slowed to 1/20 by hand')
    case 'stall':
      link.stall()
      return log.note(index, 'stall', 'stalled by hand')
    case 'reset':
      link.reset()
      return log.note(index, 'reset', 'connections reset by hand')
    case 'cut':
      link.blackHole()
      return log.note(index, 'blackHole', 'cut by hand')
    case 'kill':
      log.note(index, 'kill', 'killed by hand')
      return process.kill()
    case 'restart':
      await process.start()
      return log.note(index, 'restart', 'restarted by hand')
    default:
      link.set(ratesOf(path))
      link.resume()
      link.restore()
      return log.note(index, 'normal', 'back to normal by hand')
  }
}
