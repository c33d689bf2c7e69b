import type { TestStore } from './server.js'
import { clientOf } from './stores.js'

const TUS = { 'Tus-Resumable': '1.0.0' }

/** An upload of whatever kind that takes a body with its checksum. */
export interface Target {
  readonly url: string
  /** Of the next request. */
  headers(): Record<string, string>
  offset(): Promise<number>
}

async function sessionAt(store: TestStore, size: number): Promise<Target> {
  const client = clientOf(store, size)
  const session = client.session(0, size)
  await client.post(session)
  const next = () => {
    session.attempt++
    return client.header(session)
  }
  return { url: session.url, headers: next, offset: async () => offsetIn(await client.head(session, next())) }
}

async function plainAt(store: TestStore, size: number): Promise<Target> {
  const headers = { ...TUS, 'Upload-Length': String(size) }
  const url = (await fetch(store.endpoint, { method: 'POST', headers })).headers.get('location') ?? ''
  return { url, headers: () => TUS, offset: async () => offsetIn(await fetch(url, { method: 'HEAD', headers: TUS })) }
}

function offsetIn({ headers }: { readonly headers: Headers }): number {
  return Number(headers.get('upload-offset'))
}

export const UPLOAD_KINDS: readonly (readonly [string, (store: TestStore, size: number) => Promise<Target>])[] = [
  ['a session', sessionAt],
  ['a plain upload', plainAt],
]
