import { join } from 'node:path'
import { alternate, compare } from '../figures.js'
import type { PartitionedTimes } from '../load/uploads.js'
import { MeasuredServer } from '../measured-server.js'
import { type Cell, MIB } from './cell.js'

const PARTITIONS = 64
/** A round writes the file twice; the ratio is of four digits, so that fewer rounds say enough. */
const MOST_ROUNDS = 4

/** From the question to the answer, over HTTP; against copying the same bytes part by part to the end of a new file. */
export const commit: Cell = {
  name: 'commit',
  async run(bench) {
    const size = (bench.quick ? 64 : 2048) * MIB
    await bench.clients.call('prepare', { size })
    const server = await MeasuredServer.start('reconcile')
    let url = ''
    const { endpoint } = server
    const upload = async () => {
      if (url !== '') await bench.clients.call('remove', { url })
      const times = await bench.clients.call<PartitionedTimes>('uploadPartitioned', {
        endpoint,
        connections: PARTITIONS,
      })
      url = times.url
      return times.commitMs
    }
    await upload()
    const pairs = await alternate(Math.min(bench.rounds, MOST_ROUNDS), {
      other: () => {
        const from = join(server.directory, url.slice(url.lastIndexOf('/') + 1))
        return server.concatenate({ from, to: `${from}.copy`, size, parts: PARTITIONS })
      },
      ours: upload,
    })
    await server.stop()
    const figure = { name: `commit of ${size / MIB} MiB in ${PARTITIONS} partitions`, unit: 'ms', other: 'copying' }
    return [compare(figure, pairs, { text: 'at most 50 ms', holds: (_, ours) => ours.median <= 50 })]
  },
}
