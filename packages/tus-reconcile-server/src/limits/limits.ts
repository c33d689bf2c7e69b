import type { Group } from '../groups/group.js'
import type { Notice } from '../groups/notice.js'
import type { Session } from '../groups/session.js'
import type { ResolvedLimits } from './limit-options.js'
import { type Hold, type LimitKeys, Quota } from './quota.js'
import { TokenBuckets } from './token-buckets.js'

/** What one upload counts for, until it has ended. */
interface GroupHolds {
  readonly open: Hold
  readonly sessions: Map<Session, { readonly live: Hold; readonly bytes: Hold }>
}

/** What a session, and its upload where it is the first of it, counts for. A plain upload is one of each. */
export interface UploadHolds {
  readonly open: Hold | undefined
  readonly live: Hold
  readonly bytes: Hold
}

/** A session that may be created. */
export interface SessionAdmission {
  /** It was created, or found to be there already: it counts until it, or its upload, ends. */
  settle(group: Group, session: Session): void
  /** It was refused elsewhere. Nothing where it was settled. */
  abandon(): void
}

/** All limits of a server in one place: what is held, by whom, and how often they ask. */
export class Limits {
  readonly messageBytes: number
  readonly streamsPerClient: number
  readonly #groups: Quota
  readonly #bindsPlainAddresses: boolean
  readonly #sessions: Quota
  readonly #bytes: Quota
  readonly #bodies: Quota
  readonly #streams: Quota
  readonly #operations: TokenBuckets
  readonly #held = new Map<Group, GroupHolds>()
  /** Bytes that were copied into an upload instead of being sent. */
  readonly #copied = new Map<Group, Hold>()

  constructor(limits: ResolvedLimits) {
    this.messageBytes = limits.messageBytes
    this.streamsPerClient = limits.eventStreams.client
    const quota = (what: string, retryAfterS: number, most: ResolvedLimits['bodies']) =>
      new Quota({ what, retryAfterS, most })
    this.#groups = quota('too many unfinished uploads', 10, limits.openGroups)
    this.#bindsPlainAddresses = limits.bindsPlainAddresses
    this.#sessions = quota('too many open sessions', 5, limits.liveSessions)
    this.#bytes = quota('too many bytes of unfinished uploads', 10, limits.unfinishedBytes)
    this.#bodies = quota('too many bodies at once', 1, limits.bodies)
    this.#streams = quota('too many event streams', 5, limits.eventStreams)
    const perSecond = limits.operationsPerSecond
    this.#operations = new TokenBuckets({ what: 'too many operations', perSecond })
  }

  /** How many keys are remembered, for all limits together. */
  get size(): number {
    const quotas = [this.#groups, this.#sessions, this.#bytes, this.#bodies, this.#streams]
    return this.#operations.size + quotas.reduce((sum, quota) => sum + quota.size, 0)
  }

  /** @throws Refusal `too-many` */
  admitOperation(keys: LimitKeys): void {
    this.#operations.take(keys, performance.now())
  }

  /** Returns what is called at its end. @throws Refusal `too-many` */
  admitBody(keys: LimitKeys): () => void {
    return this.#bodies.hold(keys).release
  }

  /** By address: of one client the oldest makes room. Returns what is called at its end. @throws Refusal `too-many` */
  admitStream(address: string | undefined): () => void {
    return this.#streams.hold({ address }).release
  }

  /** Before a session is created, and its upload with it where `group` is not known yet. @throws Refusal `too-many` */
  admitSession(keys: LimitKeys, group: Group | undefined): SessionAdmission {
    const holds = this.#hold(keys, group ? undefined : keys)
    let isSettled = false
    return {
      settle: (...of) => {
        isSettled = true
        this.#settle(of, holds)
      },
      abandon: () => {
        if (!isSettled) release(holds)
      },
    }
  }

  /** Bytes of a session are about to be taken. @throws Refusal `too-many` */
  grow(group: Group, session: Session, bytes: number): void {
    this.#held.get(group)?.sessions.get(session)?.bytes.grow(bytes)
  }

  /** What was taken was written, or was not: what a session has counts, and no more. */
  settle(group: Group, session: Session): void {
    this.#held.get(group)?.sessions.get(session)?.bytes.settle(session.offset)
  }

  /** Bytes that are held already are about to be copied into an upload. @throws Refusal `too-many` */
  growByCopy(group: Group, keys: LimitKeys, bytes: number): void {
    const [first] = group.sessions.values()
    const known = this.#copied.get(group)
    const hold = known ?? this.#bytes.holdAnyway({ ...keys, client: first?.client ?? keys.client, group: group.id }, 0)
    hold.grow(bytes)
    if (!group.hasEnded) this.#copied.set(group, hold)
  }

  /** They could not be. */
  shrinkByCopy(group: Group, bytes: number): void {
    this.#copied.get(group)?.shrink(bytes)
  }

  /** Whether a plain upload of theirs would count for anything. */
  binds(keys: LimitKeys): boolean {
    return this.#groups.binds(this.#plainKeys(keys)) || this.#sessions.binds(keys) || this.#bytes.binds(keys)
  }

  /** Before a plain upload is created. @throws Refusal `too-many` */
  admitUpload(keys: LimitKeys): UploadHolds {
    return this.#hold(keys, this.#plainKeys(keys))
  }

  /** A plain upload that is there already, with so many bytes. */
  countUpload(keys: LimitKeys, bytes: number): UploadHolds {
    return {
      open: this.#groups.holdAnyway(this.#plainKeys(keys), 1),
      live: this.#sessions.holdAnyway(keys, 1),
      bytes: this.#bytes.holdAnyway(keys, bytes),
    }
  }

  /** For bytes of unfinished uploads that are not counted elsewhere: none at first. */
  holdBytes(keys: LimitKeys): Hold {
    return this.#bytes.holdAnyway(keys, 0)
  }

  /** What was there before the server began counts as well, but for addresses: they are not recorded. */
  restore(groups: Iterable<Group>): void {
    for (const group of groups) {
      if (group.hasEnded) continue
      const [first] = group.sessions.values()
      const open = this.#groups.holdAnyway({ client: first?.client }, 1)
      const sessions = new Map<Session, { live: Hold; bytes: Hold }>()
      for (const session of group.sessions.values()) {
        const keys = { client: session.client, group: group.id }
        const live = this.#sessions.holdAnyway(keys, group.isLive(session) ? 1 : 0)
        sessions.set(session, { live, bytes: this.#bytes.holdAnyway(keys, session.offset) })
      }
      this.#held.set(group, { open, sessions })
      this.#copied.set(group, this.#bytes.holdAnyway({ client: first?.client, group: group.id }, group.copied))
    }
  }

  hear(notice: Notice): void {
    const { group } = notice
    if (notice.kind === 'sessionCompleted' || notice.kind === 'sessionEnded') {
      this.#held.get(group)?.sessions.get(notice.session)?.live.release()
    } else if (notice.kind === 'groupEnded') this.#forget(group)
  }

  /** Whose uploads a plain one is counted with. */
  #plainKeys({ client, address }: LimitKeys): LimitKeys {
    return this.#bindsPlainAddresses ? { client, address } : { client }
  }

  /** A session, and its upload where `opener` opens one: all that they need, or nothing. @throws Refusal `too-many` */
  #hold(keys: LimitKeys, opener: LimitKeys | undefined): UploadHolds {
    let open: Hold | undefined
    let live: Hold | undefined
    try {
      open = opener && this.#groups.hold(opener)
      live = this.#sessions.hold(keys)
      return { open, live, bytes: this.#bytes.hold(keys, 0) }
    } catch (error) {
      open?.release()
      live?.release()
      throw error
    }
  }

  #settle([group, session]: [Group, Session], holds: UploadHolds): void {
    const { open, live, bytes } = holds
    const known = this.#held.get(group)
    // of two first sessions only one has opened the upload, and a repeat has created nothing
    if (known) open?.release()
    const held = known ?? { open: open ?? this.#groups.holdAnyway({ client: session.client }, 1), sessions: new Map() }
    if (held.sessions.has(session) || group.hasEnded) {
      live.release()
      bytes.release()
    } else held.sessions.set(session, { live, bytes })
    if (session.ended) live.release()
    if (group.hasEnded) held.open.release()
    else this.#held.set(group, held)
  }

  #forget(group: Group): void {
    const held = this.#held.get(group)
    this.#held.delete(group)
    this.#copied.get(group)?.release()
    this.#copied.delete(group)
    held?.open.release()
    for (const { live, bytes } of held?.sessions.values() ?? []) {
      live.release()
      bytes.release()
    }
  }
}

/** It has ended, or has never begun. */
export function release({ open, live, bytes }: UploadHolds): void {
  for (const hold of [open, live, bytes]) hold?.release()
}
