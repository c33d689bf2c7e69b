import { UploadError } from './upload-error.js'

/** A 413 that nothing smaller cures. @param what the server did, without a full stop */
export function tooLarge(what: string): UploadError {
  return new UploadError('too-large', `${what}: raise its limit, or that of a proxy before it`, { status: 413 })
}

/** That the server where the file is to be wants none of it, and what can be done there. */
export function explainRefusal(
  endpoint: string,
  end: { readonly cause: string; readonly code: 'network' | 'full' | 'refused'; readonly status?: number | undefined },
): UploadError {
  const status = end.status === undefined ? {} : { status: end.status }
  if (end.code === 'full') {
    const message = `${endpoint} has no room for this file (507): free space there and upload it again`
    return new UploadError('server-full', message, status)
  }
  const message = `${endpoint} refused the upload (${end.cause})`
  return end.status === 413 ? tooLarge(message) : new UploadError('refused', message, status)
}
