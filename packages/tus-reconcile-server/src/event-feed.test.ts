import { pino } from 'pino'
import { expect, test } from 'vitest'
import { logNotice } from './event-feed.js'
import { endGroup } from './groups/ending.js'
import type { Notice } from './groups/notice.js'
import { Session } from './groups/session.js'
import { groupAlone } from './testing/groups.js'

test('the end of a committed group names the sessions that ended with it', async () => {
  const lines: string[] = []
  const log = pino({}, { write: (line) => lines.push(line) })
  const notify = (notice: Notice) => logNotice(log, 'store', notice)
  const group = groupAlone({ size: 10 }, { notify })
  for (const id of ['finished', 'unfinished']) {
    group.addSession(new Session({ id, partition: id, client: 'c', start: 0, end: 10, attempt: 0 }))
  }
  group.statuses.markCompleted('finished', '')
  await endGroup(group, 'committed', 'https://up.example.com/files/g')
  const [ended] = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'group ended')
  expect(ended).toMatchObject({ group: 'g', store: 'store', state: 'committed', unfinished: ['unfinished'] })
})
