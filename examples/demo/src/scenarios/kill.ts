import { sleep } from '../waiting.js'
import { drawKill } from './moments.js'
import { percent, type Stage, shareSent, untilShare } from './stage.js'

/** The primary's process is killed with -9 and started again. */
export async function kill(stage: Stage): Promise<void> {
  const { at, downMs } = drawKill(stage)
  const primary = stage.world.servers[0]
  if (!primary) return
  await untilShare(stage, at)
  await primary.process.kill()
  stage.log.note(0, 'kill', `kill -9 at ${percent(shareSent(stage))} of the file`)
  try {
    await sleep(downMs, stage.signal)
  } finally {
    // also when the upload ended meanwhile: what it stored is looked at
    await primary.process.start()
    stage.log.note(0, 'restart', `started again ${(downMs / 1000).toFixed(1)} s later`)
  }
}
