import { drawBlackout } from './moments.js'
import { percent, type Stage, shareSent, untilShare } from './stage.js'

/** The page's path to the primary goes dead for good; the other servers still reach it. */
export async function blackout(stage: Stage): Promise<void> {
  const { at } = drawBlackout(stage)
  await untilShare(stage, at)
  stage.world.servers[0]?.link.blackHole()
  stage.log.note(
    0,
    'blackHole',
    `page's path dead for good at ${percent(shareSent(stage))} of the file; peers reach it`,
  )
}
