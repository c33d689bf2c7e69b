import type { Stats } from 'node:fs'
import type { TusRequest } from '../tus-request.js'
import { committedAs } from './exchange/repr-digest.js'
import type { Site } from './exchange/site.js'

/** What a download can be compared by later (RFC 9110, 8.8). */
interface Validators {
  readonly etag: string
  /** Whole seconds, as HTTP has it. */
  readonly lastModified: string
}

/** Strong where the file's digest is known: the Merkle root that its commit named. Else size and time, weak. */
export function validatorsOf(site: Site, id: string, stats: Stats): Validators {
  const root = committedAs(site, id, stats.size)?.commit?.root
  const etag = root === undefined ? `W/"${stats.size.toString(36)}-${stats.mtimeMs.toString(36)}"` : `"${root}"`
  return { etag, lastModified: stats.mtime.toUTCString() }
}

/** Whether the client has it already (RFC 9110, 13.1.2 and 13.1.3: a date counts only without tags). */
export function isNotModified(req: TusRequest, validators: Validators): boolean {
  const tags = req.headers.get('if-none-match')
  if (tags !== null) return tags.trim() === '*' || tags.split(',').some((tag) => isSame(tag, validators.etag))
  const since = Date.parse(req.headers.get('if-modified-since') ?? '')
  return Date.parse(validators.lastModified) <= since
}

/** Whether a range of it may be given: it is what the client has a part of (RFC 9110, 13.1.5). */
export function isRangeWanted(req: TusRequest, validators: Validators): boolean {
  const condition = req.headers.get('if-range')?.trim()
  if (condition === undefined || condition === validators.lastModified) return true
  return condition === validators.etag && !condition.startsWith('W/')
}

/** The weak comparison. */
function isSame(one: string, other: string): boolean {
  return bare(one) === bare(other)
}

function bare(etag: string): string {
  return etag.trim().replace(/^W\//, '')
}
