import { subscribe } from 'node:diagnostics_channel'
import type { ClientRequest } from 'node:http'
import { isUploadBody } from './links/index.js'

/** How clients came, as who stands where they arrive can tell it. */
export interface Arrivals {
  /** Requests that came by HTTP/2. */
  readonly http2Requests: number
  /** Bytes of upload bodies that came by HTTP/1.1. */
  readonly http1BodyBytes: number
}

/** Of this process, from its start. */
export interface WireCensus extends Arrivals {
  /** Upload bodies that this process sent by HTTP/1.1 itself, to whatever server. */
  readonly http1Bodies: number
}

const witnesses: (() => Arrivals)[] = []
let http1Bodies = 0
let http1Allowed = false

/** Asks this one, too, from now on. */
export function addWitness(witness: () => Arrivals): void {
  witnesses.push(witness)
}

/** For a test whose point is that something speaks HTTP/1.1; until it ends. */
export function allowHttp1(): void {
  http1Allowed = true
}

/** Whether the test that ends now was allowed to; the next one is not. */
export function takeAllowance(): boolean {
  const wasAllowed = http1Allowed
  http1Allowed = false
  return wasAllowed
}

/** What has come until now, by the witnesses. */
export function takeCensus(): WireCensus {
  const all = witnesses.map((witness) => witness())
  const sum = (of: keyof Arrivals) => all.reduce((total, arrivals) => total + arrivals[of], 0)
  return { http2Requests: sum('http2Requests'), http1BodyBytes: sum('http1BodyBytes'), http1Bodies }
}

/** Sees what goes to a server that no witness stands before, too. What ends TLS here passes requests on, and says so. */
export function watchOwnRequests(): void {
  subscribe('http.client.request.start', (message) => {
    const { request } = message as { request: ClientRequest }
    if (request.hasHeader('x-forwarded-proto')) return
    const contentType = String(request.getHeader('content-type') ?? '')
    if (isUploadBody({ method: request.method, contentType })) http1Bodies += 1
  })
}
