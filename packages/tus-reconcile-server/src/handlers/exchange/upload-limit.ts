import { formatUploadLimit, HEADER } from 'tus-reconcile-protocol'
import { Refusal } from '../../groups/refusal.js'
import type { PlainSite, Site } from './site.js'

/** What `Upload-Limit` says of bodies here and of a file's size; `undefined` where nothing is limited. */
export function uploadLimit(site: Site, maxSize: number | null): string | undefined {
  const { maxAppendSize } = site.bounds
  const limit = {
    ...(Number.isFinite(maxAppendSize) ? { maxAppendSize } : {}),
    ...(maxSize === null ? {} : { maxSize }),
  }
  return Object.keys(limit).length > 0 ? formatUploadLimit(limit) : undefined
}

/** @param bytes of a body, announced or as they have come. @throws Refusal `too-large` */
export function refuseLongBody(site: Pick<PlainSite, 'bounds'>, bytes: number | undefined): void {
  const { maxAppendSize } = site.bounds
  if (bytes === undefined || bytes <= maxAppendSize) return
  throw new Refusal('too-large', `a body has at most ${maxAppendSize} bytes here: send the rest in another`, {
    headers: { [HEADER.limit]: formatUploadLimit({ maxAppendSize }) },
  })
}
