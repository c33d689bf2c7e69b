import type { ConnectionLimits, JournalStorage, Page, Source, Turns } from '../orchestration/ports.js'
import type { HttpPath } from './http.js'

/** What only one kind of host has. `#platform` in package.json chooses platform-node or platform-browser. */
export interface Platform {
  /** A file by its path; browsers refuse. */
  openPath(path: string): Promise<Source>
  /** A journal in one file; browsers refuse. */
  openJournalFile(path: string): JournalStorage
  /** The journal when none is named: localStorage in browsers, none in Node. */
  defaultJournal(): JournalStorage | undefined
  readonly page: Page
  /** What the pages of one origin share; in Node nothing. */
  openTurns(): Turns | undefined
  openConnections(): ConnectionLimits
  /** By one address of this machine; browsers refuse. @throws UploadError `bad-option` */
  pathFrom(localAddress: string): HttpPath
}
