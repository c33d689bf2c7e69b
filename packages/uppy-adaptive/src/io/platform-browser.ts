import type { JournalStorage } from '../orchestration/ports.js'
import { UploadError } from '../orchestration/upload-error.js'
import type { Platform } from './platform.js'

const PREFIX = 'uppy-adaptive:'

export const platform: Platform = {
  openPath: (path) =>
    Promise.reject(new UploadError('bad-source', `a page cannot open ${JSON.stringify(path)}: give a File or a Blob`)),
  openJournalFile: (path) => {
    throw new UploadError(
      'bad-option',
      `journal: a page cannot write ${JSON.stringify(path)}: leave it out to use localStorage`,
    )
  },
  defaultJournal: () => (canStore() ? localJournal : undefined),
}

/** Storage may be refused by the browser's settings, or full: then nothing is remembered, and uploads go on. */
const localJournal: JournalStorage = {
  get: async (key) => localStorage.getItem(PREFIX + key) ?? undefined,
  set: async (key, value) => {
    try {
      localStorage.setItem(PREFIX + key, value)
    } catch {
      // full: this upload cannot be resumed after a reload
    }
  },
  delete: async (key) => localStorage.removeItem(PREFIX + key),
}

function canStore(): boolean {
  try {
    return typeof localStorage === 'object' && localStorage !== null
  } catch {
    return false
  }
}
