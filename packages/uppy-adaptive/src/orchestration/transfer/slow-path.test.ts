import { expect, test } from 'vitest'
import { UploadWorld } from '../../testing/upload-world.js'

/** A connection of 2 kB/s that gets on without a pause: nothing is wrong with it. */
for (const stores of [1, 2]) {
  test(`over ${stores} path(s) of 2 kB/s an upload takes its time, and no connection is given up`, async () => {
    const world = new UploadWorld({ stores, blocks: stores })
    for (const port of world.ports) port.upBytesPerSecond = 2_000
    await world.clock.settle(world.engine.start(), 3_600_000)
    world.expectWhole()
    expect(world.clock.now()).toBeGreaterThan(100_000)
    expect(world.receivedBytes).toBe(world.source.sizeBytes)
    const troubles = world.events.filter(({ type }) =>
      ['cut', 'reconnect', 'takeOver', 'copy', 'failed', 'waiting'].includes(type),
    )
    expect(troubles).toEqual([])
    await world.expectQuiet()
  }, 120_000)
}
