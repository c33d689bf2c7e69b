import { backoffMs } from '../failure-rules.js'
import type { AttemptOutcome } from '../ports.js'
import type { Store } from '../servers/server-directory.js'
import { pause, withDeadline } from '../timing.js'
import type { TransferContext } from '../transfer-context.js'
import { UploadError } from '../upload-error.js'

/**
 * A file without bytes has no block to open its group with: one creation without a body does, repeated until its home
 * has answered. @throws UploadError `refused`, `server-full`, `gave-up`
 */
export async function openEmptyGroup(context: TransferContext): Promise<void> {
  const { clock, directory, place, options, randomness, signal } = context
  const home = directory.get(place.home)
  if (!home) return
  const session = randomness.id()
  let waitedMs = 0
  for (let attempt = 1; !signal.aborted; attempt++) {
    const roundMs = clock.now()
    const outcome = await create(context, { home, session, attempt })
    if (outcome.kind === 'denied' && outcome.isRenewed) continue
    if (outcome.kind !== 'cut' && outcome.kind !== 'wait') return refuse(home, outcome)
    const ownMs = backoffMs({ fruitless: attempt, uniform: randomness.uniform() })
    const askedMs = outcome.kind === 'wait' ? (outcome.retryAfterMs ?? ownMs) : ownMs
    await pause(clock, Math.min(askedMs, LONGEST_REST_MS), signal)
    // what is over it, the machine slept
    waitedMs += Math.min(clock.now() - roundMs, 2 * LONGEST_REST_MS)
    if (waitedMs > options.giveUpAfterMs) {
      const message = `${home.route.endpoint} did not open the upload within ${options.giveUpAfterMs / 1000} s; start it again`
      throw new UploadError('gave-up', message)
    }
  }
}

/** A server may ask for patience, not park an upload for good. */
const LONGEST_REST_MS = 60_000
/** An answer that takes longer counts as cut (guess: as a look-up's, on a slow link). */
const DEADLINE_MS = 10_000

async function create(
  { place, options, group, client, clock, signal }: TransferContext,
  o: { home: Store; session: string; attempt: number },
): Promise<AttemptOutcome> {
  const { home, session, attempt } = o
  const deadline = withDeadline(clock, DEADLINE_MS, signal)
  try {
    const outcome = await home.route.port.attempt({
      partition: {
        ...{ group, partition: 'p0', session, attempt, client, start: 0, end: 0, size: 0, home: place.home },
        ...(place.isMovable ? { any: true } : {}),
      },
      metadata: options.metadata,
      url: undefined,
      range: { start: 0, end: 0 },
      body: undefined,
      signal: deadline.signal,
      onHandedOver: () => {},
    })
    if (outcome.kind !== 'aborted' || signal.aborted) return outcome
    return { kind: 'cut', cause: new Error('no answer') }
  } finally {
    deadline.done()
  }
}

function refuse(home: Store, outcome: AttemptOutcome): void {
  const { endpoint } = home.route
  if (outcome.kind === 'full')
    throw new UploadError('server-full', `${endpoint} has no room (507): free space there and upload it again`, {
      status: 507,
    })
  if (outcome.kind !== 'refused' && outcome.kind !== 'denied') return
  const message = `${endpoint} refused the upload (${outcome.status}: ${outcome.message})`
  throw new UploadError('refused', message, { status: outcome.status })
}
