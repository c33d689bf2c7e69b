import type { JournalStorage } from '../orchestration/ports.js'
import { UploadError } from '../orchestration/upload-error.js'
import { openConnections } from './connections-browser.js'
import { page } from './page-browser.js'
import type { Platform } from './platform.js'
import { openTurns } from './turns-browser.js'

const PREFIX = 'uppy-adaptive:'

export const platform: Platform = {
  openPath: (path) =>
    Promise.reject(new UploadError('bad-source', `a page cannot open ${JSON.stringify(path)}: give a File or a Blob`)),
  openJournalFile: (path) => {
    throw new UploadError(
      'bad-option',
      `a page cannot write ${JSON.stringify(path)}: leave out the path of journal or predictor.memory to use localStorage`,
    )
  },
  defaultJournal: () => (canStore() ? localJournal : undefined),
  page,
  openTurns,
  openConnections,
  pathFrom: (localAddress) => {
    const message = `a page cannot choose the address that its requests leave by (${localAddress}): leave out localAddress`
    throw new UploadError('bad-option', message)
  },
}

/** Where it is full, or refused by the browser's settings, the upload goes on and nothing is remembered. */
const localJournal: JournalStorage = {
  get: async (key) => localStorage.getItem(PREFIX + key) ?? undefined,
  set: async (key, value) => localStorage.setItem(PREFIX + key, value),
  delete: async (key) => localStorage.removeItem(PREFIX + key),
}

function canStore(): boolean {
  try {
    return typeof localStorage === 'object' && localStorage !== null
  } catch {
    return false
  }
}
