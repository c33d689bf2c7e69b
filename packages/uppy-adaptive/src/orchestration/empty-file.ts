import type { TransferContext } from './transfer-context.js'
import { UploadError } from './upload-error.js'

/** A file without bytes has no block to open its group with: one creation without a body does. */
export async function openEmptyGroup(context: TransferContext): Promise<void> {
  const { directory, homeId, options, randomness, group, client, signal } = context
  const home = directory.get(homeId)
  if (!home) return
  const session = randomness.id()
  const outcome = await home.route.port.attempt({
    partition: { group, partition: 'p0', session, attempt: 1, client, start: 0, end: 0, size: 0, home: homeId },
    metadata: options.metadata,
    url: undefined,
    range: { start: 0, end: 0 },
    body: undefined,
    signal,
    onHandedOver: () => {},
  })
  if (outcome.kind !== 'refused') return
  const message = `${home.route.endpoint} refused the upload (${outcome.status}: ${outcome.message})`
  throw new UploadError('refused', message, { status: outcome.status })
}
