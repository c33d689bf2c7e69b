import type { Configstore } from '@tus/file-store'
import type { RangeBackend } from './range-backend.js'

export interface RangeStoreOptions {
  /** Where everything lies: finished and plain uploads as FileStore keeps them, ours under `.reconcile/`. */
  readonly directory: string
  /** Unfinished uploads end this long after they began (plain) or got their last byte (ours). Default: plain ones
   * never, ours after a day. */
  readonly expirationPeriodInMilliseconds?: number
  /** Where the bytes of unfinished groups lie. Default: sparse files under `.reconcile/groups`. */
  readonly backend?: RangeBackend
  /** Where facts about plain and finished uploads lie, as FileStore's option. Default: JSON files beside the bytes. */
  readonly configstore?: Configstore
  /**
   * What takes no acknowledged byte: `process`, the end of the process at any moment; `disk`, a power cut too (bytes
   * and record are synced before they are acknowledged, many at once; a configstore of your own syncs itself).
   * Default: `process`.
   */
  readonly durability?: Durability
  /** With less room than this on the disk, bodies are refused with 507. In bytes; 0 for none. Default: 64 MiB. */
  readonly minFreeBytes?: number
}

export type Durability = 'process' | 'disk'

/** Room for records and for what arrives until the disk is looked at again (guess). */
const MIN_FREE_BYTES = 67_108_864

/** @throws TypeError */
export function parseMinFree(bytes: number = MIN_FREE_BYTES): number {
  if (bytes >= 0) return bytes
  throw new TypeError(`minFreeBytes is a number of bytes from 0, not ${bytes}`)
}

/** @throws TypeError */
export function parseDurability(value: string = 'process'): Durability {
  if (value === 'process' || value === 'disk') return value
  throw new TypeError(`durability is 'process' or 'disk', not ${JSON.stringify(value)}`)
}
