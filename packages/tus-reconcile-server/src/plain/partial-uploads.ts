import { randomBytes } from 'node:crypto'
import { Server } from '@tus/server'
import type { PlainStore } from './plain-store.js'

/** A part of a file is no file: the naming function is not asked, and the name says what it is. */
const PARTIAL_ID = /^[A-Za-z0-9_-]{22}\.partial$/

export function isPartialId(id: string | undefined): id is string {
  return id !== undefined && PARTIAL_ID.test(id)
}

/**
 * What carries partial uploads: @tus/server with the options of `server`, but for what is done once per file. Neither
 * `namingFunction`, `onUploadCreate` and `onUploadFinish` nor the events of `server` hear of them.
 */
export function partialServer(server: Server, datastore: PlainStore): Server {
  const options = { ...server.options }
  delete options.onUploadCreate
  delete options.onUploadFinish
  const namingFunction = () => `${randomBytes(16).toString('base64url')}.partial`
  return new Server({ ...options, namingFunction, datastore })
}
