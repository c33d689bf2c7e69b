import { AsyncLocalStorage } from 'node:async_hooks'
import type { CancellationContext } from '@tus/server'
import type { Checksum } from '../bodies/checksum.js'
import type { HeldBytes } from '../bodies/staged-body.js'
import { Refusal } from '../groups/refusal.js'

/** What its sender may use, and how long its body may be. */
export interface PlainBounds {
  /** @param bytes of the body that have come. @throws Refusal `too-large` */
  refuseLong(bytes: number): void
  /** An upload is about to be created. @throws Refusal `too-many` */
  begin(id: string): void
  /** Bytes of an upload that stands at `offset` are about to be taken. Undefined: they count for nothing. */
  resume(id: string, offset: number): HeldBytes | undefined
  /** For bytes that are not their upload's yet. */
  holdStaged(): HeldBytes
}

/** What one request to @tus/server's own handlers is about, beyond what they know of it. */
export interface PlainRequest {
  readonly context: CancellationContext
  readonly checksum: Checksum | undefined
  readonly bounds: PlainBounds
  /** Its body's announced length. */
  readonly length: number | undefined
  /** The length that it declares, once its body was checked. */
  declared?: number
  /** The upload that it made, until its bytes are in. */
  created?: string | undefined
  /** How many bytes its upload has when it is whole, where that is known. */
  size?: number | undefined
  /** Its upload had all its bytes before. */
  wasWhole?: boolean
  /** Its body was ended before its end, because this server is stopping. */
  isStopped?: boolean
  /** Its upload has all its bytes now. */
  isFinished?: boolean
}

/** What a body is answered with that ends so. */
export function stopping(): Refusal {
  return new Refusal('closing', 'this server is stopping', { headers: { 'Retry-After': '1' } })
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
