import http from 'node:http'
import https from 'node:https'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { DefaultHttpStack } from 'tus-js-client'
import type { HttpPath } from './http.js'

/** Of each local address one, so that all uploads of this process share what is known by it. */
const paths = new Map<string, HttpPath>()

/** Requests that leave by one address of this machine. */
export function pathFrom(localAddress: string): HttpPath {
  const known = paths.get(localAddress)
  if (known) return known
  const path: HttpPath = {
    stack: new DefaultHttpStack({ localAddress }),
    fetch: (url, init) => fetchFrom(url, init, localAddress),
  }
  paths.set(localAddress, path)
  return path
}

/** As `fetch`, whose own connections leave as the system chooses; no redirect is followed. */
function fetchFrom(
  url: string,
  init: RequestInit & { readonly body: string },
  localAddress: string,
): Promise<Response> {
  const { method, signal, body } = init
  const headers = Object.fromEntries(new Headers(init.headers))
  const { request } = new URL(url).protocol === 'https:' ? https : http
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      { localAddress, headers, ...(method && { method }), ...(signal && { signal }) },
      (answer) => {
        const { statusCode: status = 0 } = answer
        const pairs = Object.entries(answer.headers).flatMap(([name, value]) =>
          typeof value === 'string' ? [[name, value]] : [],
        )
        // the same streams by two names: Node's types and the web's
        const stream = Readable.toWeb(answer) as ReadableStream<Uint8Array> as unknown as BodyInit
        resolve(new Response(stream, { status, headers: Object.fromEntries(pairs) }))
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })
}
