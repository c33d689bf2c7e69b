import Uppy from '@uppy/core'
import Tus from '@uppy/tus'
import AdaptiveTus from 'uppy-adaptive'
import type { PageBench, PageOutcome, PageRun } from '../page-run.js'

declare global {
  interface Window {
    comparison: PageBench
  }
}

window.comparison = { run }

async function run(o: PageRun): Promise<PageOutcome> {
  const file = document.querySelector('input')?.files?.[0]
  if (!file) throw new Error('no file is chosen')
  const longTasksMs: number[] = []
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longTasksMs.push(Math.round(duration))
  })
  observer.observe({ type: 'longtask' })
  const began = performance.now()
  await (o.uploader === 'one XHR body' ? sendWhole(file, o.endpoint) : upload(file, o))
  const tookMs = performance.now() - began
  // what was observed last is told in a task of its own
  await new Promise((resolve) => setTimeout(resolve, 100))
  observer.disconnect()
  return { tookMs, longTasksMs }
}

function upload(file: File, o: PageRun): Promise<void> {
  // a browser under a POSIX locale has a language that Uppy cannot sort by
  const uppy = new Uppy({ locale: { strings: {}, pluralize: (n: number) => (n === 1 ? 0 : 1) } })
  const { endpoint } = o
  if (o.uploader === '@uppy/tus') uppy.use(Tus, { endpoint, storeFingerprintForResuming: false })
  else uppy.use(AdaptiveTus, { endpoint })
  return new Promise((resolve, reject) => {
    uppy.on('upload-success', () => resolve())
    uppy.on('upload-error', (_file, error) => reject(error))
    uppy.addFile({ name: file.name, type: 'application/octet-stream', data: file, source: 'bench' })
    uppy.upload().catch(reject)
  })
}

/** As fast as a browser sends a file at all. */
function sendWhole(file: File, url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open('POST', url)
    request.onload = () => resolve()
    request.onerror = () => reject(new Error('the body was not taken'))
    request.send(file)
  })
}
