import type { Logger } from 'pino'
import type { EventHub } from './groups/events.js'
import type { Notice } from './groups/notice.js'
import type { OffsetReports } from './groups/offset-reports.js'
import { rangesIn } from './groups/verification.js'

/** Turns what happens in groups into events of their clients. */
export function feedEvents(hub: EventHub, offsets: OffsetReports, notice: Notice): void {
  const { group } = notice
  const id = group.id
  switch (notice.kind) {
    case 'bytes':
      return offsets.note(group, notice.session)
    case 'offset':
      return hub.publish([notice.session.client], {
        type: 'offset',
        group: id,
        session: notice.session.id,
        offset: notice.offset,
      })
    case 'verified': {
      const ranges = notice.where === 'elsewhere' ? notice.ranges : rangesIn(group, notice.blocks)
      hub.publish(group.clients, { type: 'verified', group: id, ranges })
      if (notice.where === 'pulled') hub.publish(group.clients, { type: 'pulled', group: id, ranges })
      return
    }
    case 'bad':
      return hub.publish(group.clients, { type: 'bad', group: id, ranges: rangesIn(group, notice.blocks) })
    case 'sessionEnded':
      if (notice.session.ended === 'superseded') {
        hub.publish([notice.session.client], { type: 'superseded', group: id, session: notice.session.id })
      }
      return
    case 'groupEnded':
      if (notice.state === 'committed')
        hub.publish(group.clients, { type: 'committed', group: id, url: group.url ?? '' })
      else hub.publish(group.clients, { type: 'terminated', group: id })
      return
    case 'groupOpened':
    case 'sessionOpened':
    case 'sessionCompleted':
    case 'reused':
    case 'mismatch':
      return
  }
}

/** Writes what happens in groups to the log: ids and numbers, never metadata or digests. */
export function logNotice(log: Logger, storeId: string, notice: Notice): void {
  const { group } = notice
  switch (notice.kind) {
    case 'groupOpened':
      return log.info({ group: group.id, home: group.home, store: storeId, provisional: !group.opened }, 'group opened')
    case 'sessionOpened':
    case 'sessionCompleted':
    case 'sessionEnded': {
      const { session } = notice
      const what = { sessionOpened: 'opened', sessionCompleted: 'completed', sessionEnded: session.ended ?? 'ended' }
      const facts = { group: group.id, session: session.id, partition: session.partition, store: storeId }
      return log.info(
        { ...facts, start: session.start, end: session.end, offset: session.offset },
        `session ${what[notice.kind]}`,
      )
    }
    case 'bad':
      return log.warn({ group: group.id, store: storeId, blocks: notice.blocks.length }, 'blocks bad')
    case 'verified':
      if (notice.where === 'pulled') log.info({ group: group.id, blocks: notice.blocks.length }, 'blocks pulled')
      return
    case 'reused':
      return log.info({ group: group.id, store: storeId, blocks: notice.blocks.length }, 'blocks known')
    case 'groupEnded': {
      const unfinished = Array.from(group.sessions.values()).filter((session) => group.isLive(session))
      const facts = { group: group.id, store: storeId, state: notice.state }
      return log.info({ ...facts, unfinished: unfinished.map(({ id }) => id) }, 'group ended')
    }
    case 'mismatch':
    case 'bytes':
    case 'offset':
      return
  }
}
