import type { ByteRange } from 'tus-reconcile-protocol'
import type { RequestBody, Source } from '../ports.js'
import { closeBody } from '../ports.js'
import { onAbort } from '../timing.js'

/** The source's bytes; undefined as soon as the signal fires, however long the source takes: what it gives then is closed. */
export function takeBody(source: Source, range: ByteRange, signal: AbortSignal): Promise<RequestBody> {
  if (signal.aborted) return Promise.resolve(undefined)
  return new Promise((resolve, reject) => {
    const leave = onAbort(signal, () => resolve(undefined))
    Promise.resolve()
      .then(() => source.body(range))
      .then((body) => (signal.aborted ? closeBody(body) : resolve(body)), reject)
      .finally(leave)
  })
}
