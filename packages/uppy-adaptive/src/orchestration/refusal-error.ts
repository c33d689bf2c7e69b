import { UploadError } from './upload-error.js'

/** Of whoever has a limit on bodies or files. */
export const RAISE_LIMIT = 'raise its limit, or that of a proxy before it'

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
  if (end.status === 413) return new UploadError('too-large', `${message}: ${RAISE_LIMIT}`, status)
  return new UploadError('refused', message, status)
}
