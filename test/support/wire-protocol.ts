import type { HttpStack } from 'tus-js-client'
import { type Certificate, chromiumTrustFlag, readCertificate } from './certificate.js'
import { Http2Stack } from './http2-stack.js'
import { type Link, type LinkOptions, openLink } from './links/index.js'
import { addWitness } from './wire-census.js'

/** How clients speak to the servers of end-to-end tests: HTTP/1.1 in the clear, or HTTP/2 in TLS. */
export type WireProtocol = 'h1' | 'h2'

/** The one that this run of the end-to-end tests is for (vitest.config.ts says which). */
export const wireProtocol: WireProtocol = process.env.E2E_PROTOCOL === 'h2' ? 'h2' : 'h1'

/** The certificate of this run, which every Node process of it trusts, event streams included. */
export function runsCertificate(): Promise<Certificate> {
  const folder = process.env.E2E_CERTIFICATE_FOLDER
  if (folder === undefined) throw new Error('no certificate: run this by the project e2e-h2 of vitest.config.ts')
  return readCertificate(folder)
}

/** What Chromium is started with to trust this run's servers. */
export async function chromiumTrust(protocol: WireProtocol = wireProtocol): Promise<string[]> {
  return protocol === 'h1' ? [] : [chromiumTrustFlag(await runsCertificate())]
}

/** A link by which clients speak the protocol to a server that speaks HTTP/1.1 in the clear. */
export async function openWireLink(options: LinkOptions, protocol: WireProtocol = wireProtocol): Promise<Link> {
  const link = await openLink(protocol === 'h1' ? options : { ...options, tls: await runsCertificate() })
  addWitness(() => {
    const { http2Requests, bodyBytesUp, http2BodyBytesUp } = link.counters
    return { http2Requests, http1BodyBytes: bodyBytesUp - http2BodyBytesUp }
  })
  return link
}

/** How the engine makes its requests in Node; in a browser it is the browser that decides. */
export interface NodeClient {
  readonly options: { readonly httpStack?: HttpStack }
  close(): void
}

/** The engine's own stack for HTTP/1.1; for HTTP/2, which that does not speak, one of ours. */
export function createNodeClient(protocol: WireProtocol = wireProtocol): NodeClient {
  if (protocol === 'h1') return { options: {}, close() {} }
  const httpStack = new Http2Stack()
  return { options: { httpStack }, close: () => httpStack.close() }
}
