import { encode } from 'js-base64'
import { UploadError } from '../orchestration/upload-error.js'

/** `Upload-Metadata`: comma-separated pairs of key and base64 value (tus 1.0, Creation). */
export function encodeMetadata(metadata: Readonly<Record<string, string>>): string {
  return Object.entries(metadata)
    .map(([key, value]) => {
      if (!/^[\x21-\x2b\x2d-\x7e]+$/.test(key)) {
        throw new UploadError(
          'bad-option',
          `metadata key ${JSON.stringify(key)} must be ASCII without spaces and commas`,
        )
      }
      return `${key} ${encode(String(value))}`
    })
    .join(',')
}
