import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { BodyProgress } from '../../bodies/body-progress.js'
import type { RequestBody } from '../../bodies/request-body.js'
import type { Group } from '../../groups/group.js'
import { Refusal } from '../../groups/refusal.js'
import type { RunningWrite, Session, StopCause } from '../../groups/session.js'
import { endWrite } from '../../groups/sessions.js'
import { acceptBytes } from '../../groups/writing.js'
import type { LimitKeys } from '../../limits/quota.js'
import type { Site } from '../exchange/site.js'
import { refuseLongBody } from '../exchange/upload-limit.js'

/** At the planned end of a body of unknown length: how long its end is waited for before it counts as more. */
const END_GRACE_MS = 100

/** How a body ended. All bytes that were taken are written then. */
export type WriteOutcome =
  | { readonly kind: 'ended' }
  | { readonly kind: 'cut' }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

export interface BodyWrite {
  readonly group: Group
  readonly session: Session
  readonly running: RunningWrite
  readonly body: RequestBody
  /** Who sends it. */
  readonly keys: LimitKeys
  /** The body's announced length. */
  readonly length: number | undefined
  /** How fast it has come so far. Default: it begins now. */
  readonly progress?: BodyProgress
}

/** Brings a body's bytes into its session until it ends, is cut, is stopped, or the session's end is reached. */
export async function receiveBody(site: Site, write: BodyWrite): Promise<WriteOutcome> {
  const { group, session, running, body } = write
  running.onChange = () => body.poke()
  const closed = site.metrics.bodyOpened()
  let release = () => {}
  try {
    if (write.length !== 0) release = site.limits.admitBody(write.keys)
    return await receive(site, write)
  } catch (error) {
    if (error instanceof Refusal) return { kind: 'refused', refusal: error }
    throw error
  } finally {
    running.onChange = () => {}
    closed()
    release()
    endWrite(group, session, running)
  }
}

async function receive(site: Site, write: BodyWrite): Promise<WriteOutcome> {
  const { group, session, running, body } = write
  let received = 0
  const { progress = new BodyProgress(site.bounds.bodyTimeoutMs) } = write
  for (;;) {
    if (running.stopped) return { kind: 'refused', refusal: stopRefusal(running.stopped) }
    if (received === write.length) return { kind: 'ended' }
    if (running.endsWithBlock && bytesToBlockEnd(session) === 0) return refused(stopRefusal('closing'))
    const atEnd = group.isFull(session)
    // at the file's end the next bytes decide: they are the client's mistake, not a plan's
    if (atEnd && write.length !== undefined && (session.end ?? group.size) !== group.size) return full()
    const read = await body.read(atEnd ? END_GRACE_MS : progress.leftMs)
    if (read.kind === 'end') return { kind: 'ended' }
    if (read.kind === 'cut') return { kind: 'cut' }
    if (read.kind === 'changed') continue
    if (read.kind === 'stalled') return atEnd ? full() : stalled(site)
    const bytes = running.endsWithBlock ? read.bytes.slice(0, bytesToBlockEnd(session)) : read.bytes
    received += bytes.length
    refuseLongBody(site, received)
    site.limits.grow(group, session, bytes.length)
    const written = site.load.writing(bytes.length)
    const accepted = await acceptBytes(group, { session, running }, bytes).finally(() => {
      site.metrics.wrote(bytes.length, written())
      site.limits.settle(group, session)
    })
    progress.note(bytes.length)
    if (accepted === 'full') return full()
    if (accepted === 'beyond') return beyond()
    if (accepted === 'stopped') return refused(stopRefusal(running.stopped ?? 'committing'))
  }
}

/** 0 where the session stands at the end of a block. */
function bytesToBlockEnd(session: Session): number {
  return (BLOCK_SIZE - ((session.start + session.offset) % BLOCK_SIZE)) % BLOCK_SIZE
}

function full(): WriteOutcome {
  return refused(
    new Refusal('session-full', "the session's planned end is reached: nothing more is taken", {
      headers: { 'Reconcile-State': 'completed' },
    }),
  )
}

function beyond(): WriteOutcome {
  return refused(new Refusal('too-large', "the body goes beyond the file's end"))
}

function stalled(site: Site): WriteOutcome {
  return refused(new Refusal('no-progress', `next to nothing came for ${site.bounds.bodyTimeoutMs / 1000} s`))
}

function refused(refusal: Refusal): WriteOutcome {
  return { kind: 'refused', refusal }
}

function stopRefusal(cause: StopCause): Refusal {
  if (cause === 'replaced') return new Refusal('replaced', 'a newer request of this session has taken over')
  if (cause === 'committing') return new Refusal('committing', 'the file is being committed', retrySoon())
  if (cause === 'closing') return new Refusal('closing', 'this server is stopping', retrySoon())
  const code = cause === 'committed' ? 'group-ended' : 'session-ended'
  return new Refusal(code, `this session was ended: ${cause}`, { headers: { 'Reconcile-State': cause } })
}

function retrySoon(): { headers: Record<string, string> } {
  return { headers: { 'Retry-After': '1' } }
}
