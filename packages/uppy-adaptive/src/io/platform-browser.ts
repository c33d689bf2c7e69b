import type { JournalStorage } from '../orchestration/ports.js'
import { UploadError } from '../orchestration/upload-error.js'
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
  connections: {
    most: (endpoint) => (isMultiplexed(endpoint) ? Number.POSITIVE_INFINITY : HTTP1_CONNECTIONS),
    areMultiplexed: isMultiplexed,
  },
}

/** Browsers open no more of them to one host (measured: the seventh request waits). */
const HTTP1_CONNECTIONS = 6

/** HTTP/2 or 3, where the server lets a page know: `Timing-Allow-Origin`, across origins. */
function isMultiplexed(endpoint: string): boolean {
  const { origin } = new URL(endpoint)
  const entries = performance.getEntriesByType('resource')
  return entries.some(
    (entry) =>
      entry.name.startsWith(`${origin}/`) && 'nextHopProtocol' in entry && /^h[23]/.test(String(entry.nextHopProtocol)),
  )
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
