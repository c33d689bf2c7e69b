import * as v from 'valibot'
import { IndexError } from './index-error.js'
import { type EntryWrites, type KeyRange, keysUnder } from './ordered-entries.js'
import type { GroupChange, GroupHeader } from './partition-index.js'
import { RECORD_VERSION } from './record-schemas.js'

/*
 * group/<id>/header
 * group/<id>/session/<session>
 * group/<id>/detail/{block,claim,bad}/<index>, group/<id>/detail/report/<store>/<index>, group/<id>/detail/elsewhere
 *
 * Every value is [version, data]. An entry belongs to its group only while there is a header, a detail only while that
 * header says that the group has not ended: what a crash leaves of a removal is never read.
 */

export const ALL_GROUPS: KeyRange = keysUnder('group/')

export function keysOfGroup(id: string): KeyRange {
  return keysUnder(groupPrefix(id))
}

export function detailsOfGroup(id: string): KeyRange {
  return keysUnder(`${groupPrefix(id)}detail/`)
}

export function headerKey(id: string): string {
  return `${groupPrefix(id)}header`
}

export function formatValue(data: unknown): string {
  return JSON.stringify([RECORD_VERSION, data])
}

export function formatChange(change: GroupChange): EntryWrites {
  const { header } = change
  const prefix = groupPrefix(header.id)
  const writes = new Map<string, string | null>()
  const put = (key: string, data: unknown) => writes.set(prefix + key, data === null ? null : formatValue(data))
  put('header', header)
  for (const session of change.sessions) put(`session/${encodeURIComponent(session.id)}`, session)
  if (isEnded(header)) return writes
  for (const [index, block] of change.blocks) put(`detail/block/${formatIndex(index)}`, block)
  for (const [index, leaves] of change.claims) put(`detail/claim/${formatIndex(index)}`, leaves)
  for (const [index, isBad] of change.bad) put(`detail/bad/${formatIndex(index)}`, isBad)
  for (const [store, index, leaf] of change.reports) {
    put(`detail/report/${encodeURIComponent(store)}/${formatIndex(index)}`, leaf)
  }
  if (change.elsewhere) put('detail/elsewhere', change.elsewhere)
  return writes
}

/** Of such a group the header and the sessions stay. */
export function isEnded(header: GroupHeader): boolean {
  return header.state !== 'open' && header.state !== 'committing'
}

const Entry = v.pipe(v.string(), v.parseJson(), v.tuple([v.pipe(v.number(), v.safeInteger()), v.unknown()]))

/** @throws v.ValiError, or IndexError for what a later version wrote */
export function parseEntry(value: string): unknown {
  const [version, data] = v.parse(Entry, value)
  if (version <= RECORD_VERSION) return data
  throw new IndexError(
    'newer-records',
    `the records have version ${version}, this server reads up to ${RECORD_VERSION}: start the later version again`,
  )
}

function groupPrefix(id: string): string {
  return `group/${encodeURIComponent(id)}/`
}

/** As many digits as 2^53 bytes have blocks, so that the order of keys is the order of blocks. */
function formatIndex(index: number): string {
  return String(index).padStart(11, '0')
}
