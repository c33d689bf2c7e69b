import { Upload } from '@tus/utils'
import type { MadeFinal } from '../../plain/made-finals.js'
import type { RangeStore } from '../../store/range-store.js'
import type { PlainSite } from '../exchange/site.js'
import { finishFinal } from './final-upload.js'

/**
 * At the start, before the first request: of final uploads whose creation a crash has cut, those whose bytes are in
 * place are brought to their end (their hooks are not waited for), and the others have never been; their parts are.
 */
export async function recoverFinals(site: PlainSite, store: RangeStore): Promise<void> {
  for (const made of await site.finals.load()) {
    if (!(await isThere(store, made))) await site.finals.forget(made.parts)
    else if (!made.isFinished) {
      void recoverFinal(site, made).catch((err) =>
        site.log.error({ id: made.id, err }, 'a final upload is not finished'),
      )
    }
  }
}

async function isThere(store: RangeStore, made: MadeFinal): Promise<boolean> {
  const trace = await store.traceOf(made.id)
  if (trace.isPlaceholder && made.size > 0) {
    await store.removePlaceholder(made.id)
    return false
  }
  if (trace.length !== made.size) return false
  if (!trace.hasInfo) await store.recordFinished(uploadOfFinal(made))
  return true
}

async function recoverFinal(site: PlainSite, made: MadeFinal): Promise<void> {
  const upload = await site.plain.getUpload(made.id)
  const url = URL.canParse(made.url) ? made.url : `http://localhost/${made.id}`
  await finishFinal(site, { req: new Request(url, { method: 'POST' }), upload, made }).then(
    () => site.log.info({ id: made.id }, 'a final upload finished after a crash'),
    (err) => site.log.error({ id: made.id, err }, 'the finish hook of a final upload failed after a crash'),
  )
}

function uploadOfFinal({ id, size, metadata, createdAt }: MadeFinal): Upload {
  return new Upload({ id, size, offset: size, metadata, creation_date: createdAt })
}
