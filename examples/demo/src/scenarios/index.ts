import type { ScenarioName } from '../options.js'
import { blackout } from './blackout.js'
import { degrade } from './degrade.js'
import { kill } from './kill.js'
import { lastmile } from './lastmile.js'
import type { Stage } from './stage.js'

const SCRIPTS: Readonly<Record<ScenarioName, (stage: Stage) => Promise<void>>> = {
  clean: async () => {},
  degrade,
  blackout,
  kill,
  lastmile,
}

/** Plays a script until it or the upload ends. @throws Error when the script itself fails */
export async function playScenario(name: ScenarioName, stage: Stage): Promise<void> {
  try {
    await SCRIPTS[name](stage)
  } catch (error) {
    if (!stage.signal.aborted || error !== stage.signal.reason) throw error
  }
}
