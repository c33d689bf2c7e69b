import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { DefaultHttpStack } from 'tus-js-client'
import type { HttpOptions } from '../io/http.js'
import { ReconcileClient } from '../io/reconcile-client.js'
import type { Attempt } from '../orchestration/ports.js'

const ID = 'a'.repeat(22)

/** A creation with three bytes. */
export const ATTEMPT: Attempt = {
  partition: {
    ...{ group: ID, partition: 'p0', session: ID, attempt: 1, client: ID, home: ID },
    ...{ start: 0, end: 3, size: 3 },
  },
  metadata: {},
  url: undefined,
  range: { start: 0, end: 3 },
  body: new Uint8Array([1, 2, 3]),
  signal: new AbortController().signal,
  onHandedOver: () => {},
}

/** HTTP servers that answer each request, once its body is read, as the test says. */
export class AnsweringServers {
  readonly #closers: (() => Promise<void>)[] = []

  /** Resolves to an endpoint. */
  async listen(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
    const server = createServer((request, response) => {
      request.resume()
      request.on('end', () => answer(request, response))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    this.#closers.push(
      () =>
        new Promise((resolve) => {
          server.close(() => resolve())
          server.closeAllConnections()
        }),
    )
    // a server that listens on a port has an AddressInfo
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/files`
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0)) await close()
  }
}

export function clientOf(endpoint: string, o: Partial<HttpOptions> = {}): ReconcileClient {
  const hooks = { onBeforeRequest: undefined, onAfterResponse: undefined }
  const stack = new DefaultHttpStack({})
  return new ReconcileClient(
    { endpoint },
    {
      stack,
      fetch: (url, init) => fetch(url, init),
      headers: {},
      withCredentials: false,
      addRequestId: false,
      ...hooks,
      ...o,
    },
  )
}
