import type { Fault } from '../orchestration/failure-table.js'

/** A browser's failure says nothing: the network, a server that closed the connection, or CORS. */
export class StatusZeroError extends Error {
  constructor() {
    super('the request failed without an answer: the network, a server that closed the connection, or CORS')
    this.name = 'StatusZeroError'
  }
}

/** The codes of Node's system errors, by what they mean for an upload. What is not here broke the connection. */
const FAULT_OF: { readonly [code: string]: Fault } = {
  ECONNREFUSED: 'refused connection',
  ENOTFOUND: 'DNS',
  EAI_AGAIN: 'DNS',
  EHOSTUNREACH: 'no route',
  ENETUNREACH: 'no route',
  ENETDOWN: 'no route',
  EADDRNOTAVAIL: 'no route',
  ETIMEDOUT: 'timed out',
  EPROTO: 'TLS',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'TLS',
  SELF_SIGNED_CERT_IN_CHAIN: 'TLS',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'TLS',
  UNABLE_TO_GET_ISSUER_CERT: 'TLS',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'TLS',
}
const TLS_CODE = /^(CERT|ERR_TLS|ERR_SSL)_/

/** Which row of the table (orchestration/failure-table.ts) an error of a request is. */
export function faultOf(error: unknown): Fault {
  if (error instanceof StatusZeroError) return 'status 0'
  const code = codeOf(error)
  return FAULT_OF[code] ?? (TLS_CODE.test(code) ? 'TLS' : 'reset')
}

/** Of the error or of what caused it: several addresses of one host make an AggregateError of the same code. */
function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return ''
  if ('code' in error && typeof error.code === 'string') return error.code
  return 'cause' in error ? codeOf(error.cause) : ''
}
