import { sleep } from '../waiting.js'
import { drawOutages } from './moments.js'
import { percent, type Stage, shareSent, untilShare } from './stage.js'

/** The user's own line is out for some seconds, once or twice. */
export async function lastmile(stage: Stage): Promise<void> {
  for (const { at, lastsMs } of drawOutages(stage)) {
    await untilShare(stage, at)
    stage.world.lastMile.cut()
    stage.log.note('lastMile', 'cut', `out at ${percent(shareSent(stage))} of the file`)
    await sleep(lastsMs, stage.signal)
    stage.world.lastMile.restore()
    stage.log.note('lastMile', 'normal', `back after ${(lastsMs / 1000).toFixed(1)} s`)
  }
}
