import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AdaptiveUpload, AdaptiveUploadOptions, LoggedEvent } from 'uppy-adaptive/upload'
import { expect, onTestFinished } from 'vitest'
import { type Front, type PlainServer, startPlainServer } from '../support/plain-server.js'
import { nodeClient } from './node-client.js'

export const MB = 1_000_000
export const MIB: number = 1024 * 1024

/** A plain server and a client of it, until the test ends. */
export interface Given extends PlainServer {
  readonly directory: string
  readonly options: AdaptiveUploadOptions
}

/** Removed when the test has ended. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'plain-test-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

export async function given(o: { upBytesPerSecond?: number; front?: Front } = {}): Promise<Given> {
  const directory = await temporaryDirectory()
  const server = await startPlainServer({ directory, ...o })
  onTestFinished(() => server.close())
  return { ...server, directory, options: { ...nodeClient(), endpoint: server.endpoint } }
}

export function recorded(upload: AdaptiveUpload): LoggedEvent[] {
  const events: LoggedEvent[] = []
  upload.on('event', (event) => events.push(event))
  return events
}

/** Calls back once, in the turn of the first event that fits. */
export function once(upload: AdaptiveUpload, fits: (event: LoggedEvent) => boolean, act: () => void): void {
  const off = upload.on('event', (event) => {
    if (!fits(event)) return
    off()
    act()
  })
}

export const hasSent = (bytes: number) => (event: LoggedEvent) => event.type === 'progress' && event.ackedBytes >= bytes

export function ofType<T extends LoggedEvent['type']>(events: LoggedEvent[], type: T) {
  return events.filter((event): event is Extract<LoggedEvent, { type: T }> => event.type === type)
}

export async function expectStored(
  server: { readonly directory: string },
  url: string,
  data: Uint8Array,
): Promise<void> {
  const stored = await readFile(join(server.directory, url.slice(url.lastIndexOf('/') + 1)))
  const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
  expect(sha256(stored)).toBe(sha256(data))
}

/** Answers by `status` what the front has against a request; the body is read first, so that the answer arrives. */
export const refuse =
  (status: number, why: (request: IncomingMessage) => boolean, headers: Record<string, string> = {}): Front =>
  (request, response, pass) => {
    if (!why(request)) return pass()
    request.resume().on('end', () => response.writeHead(status, headers).end())
  }

export const bodyLength = (request: IncomingMessage): number => Number(request.headers['content-length'] ?? 0)
