import { AsyncLocalStorage } from 'node:async_hooks'
import type { CancellationContext } from '@tus/server'
import type { Checksum } from '../bodies/checksum.js'

/** What one request to @tus/server's own handlers is about, beyond what they know of it. */
export interface PlainRequest {
  readonly context: CancellationContext
  readonly checksum: Checksum | undefined
  /** The length that it declares, once its body was checked. */
  declared?: number
  /** The upload that it made, until its bytes are in. */
  created?: string | undefined
  /** Its upload had all its bytes before. */
  wasWhole?: boolean
}

const requests = new AsyncLocalStorage<PlainRequest>()

/** The request that is being handled, seen from the store that its handler calls. */
export function plainRequest(): PlainRequest | undefined {
  return requests.getStore()
}

/** Each request in a scope of its own. */
export function inPlainRequest<T>(request: PlainRequest, handle: () => Promise<T>): Promise<T> {
  return requests.run(request, handle)
}
