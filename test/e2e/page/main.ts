import Uppy from '@uppy/core'
import type { LoggedEvent } from 'uppy-adaptive'
import AdaptiveTus from 'uppy-adaptive'

/** What the test reads and does: the page itself is an ordinary user of the plugin. */
interface Bench {
  events: LoggedEvent[]
  /** Requests that the plugin made, `METHOD URL` each; preflights are the browser's and not among them. */
  requests: string[]
  outcome: { url?: string; error?: string } | undefined
  pauseAll(): void
  resumeAll(): void
  cancelAll(): void
}
declare global {
  interface Window {
    bench: Bench
  }
}

const query = new URLSearchParams(location.search)
const [endpoint = '', ...mirrors] = query.getAll('server')
// a browser under a POSIX locale has a language that Uppy cannot sort by
const uppy = new Uppy({ locale: { strings: {}, pluralize: (n: number) => (n === 1 ? 0 : 1) } })
const bench: Bench = {
  events: [],
  requests: [],
  outcome: undefined,
  pauseAll: () => uppy.pauseAll(),
  resumeAll: () => uppy.resumeAll(),
  cancelAll: () => uppy.cancelAll(),
}
window.bench = bench
const chunkSize = Number(query.get('chunkSize') ?? Number.POSITIVE_INFINITY)
/** Name and value of a header for the primary. */
const [header = '', value = ''] = (query.get('header') ?? '').split('=')
const maxRate = Number(query.get('maxRate') ?? Number.POSITIVE_INFINITY)
const localAddress = query.get('localAddress')
uppy.use(AdaptiveTus, {
  endpoint,
  mirrors: localAddress ? mirrors.map((mirror) => ({ endpoint: mirror, localAddress })) : mirrors,
  chunkSize,
  maxRate,
  headers: header ? { [header]: value } : {},
  onEvent: (_file, event) => bench.events.push(event),
  onBeforeRequest: (request) => void bench.requests.push(`${request.getMethod()} ${request.getURL()}`),
})
uppy.on('upload-success', (_file, response) => {
  bench.outcome = response.uploadURL ? { url: response.uploadURL } : { error: 'no URL' }
})
uppy.on('upload-error', (_file, error) => {
  bench.outcome = { error: error.message }
})

document.querySelector('input')?.addEventListener('change', (change) => {
  const input = change.target
  const file = input instanceof HTMLInputElement ? input.files?.[0] : undefined
  if (!file) return
  uppy.addFile({ name: file.name, type: file.type, data: file, source: 'test' })
  void uppy.upload()
})
