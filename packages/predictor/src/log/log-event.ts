/** What a log's line tells, as far as anything is learned from it. Times: `elapsedMs` of its upload, `at` since 1970. */
interface Timed {
  readonly at: number
  /** On the upload's own clock; a server's lines have none. */
  readonly elapsedMs: number
}
export interface OfSession {
  readonly session: string
  readonly partition: string
  readonly store: string
  /** 0 is the primary; undefined in a server's own log. */
  readonly server?: number
}
export type SessionKind = 'first' | 'takeOver' | 'copy'

export interface Because {
  readonly factor: string
  readonly weight: number
  readonly text: string
}

/** What was known of one session in flight. `acked` and `end` are offsets in the file. */
export interface SessionSample extends OfSession {
  readonly start: number
  readonly end: number
  readonly acked: number
  readonly assessment: {
    readonly risk: number
    readonly link: number
    readonly server: number
    readonly straggle: number
    readonly gapMs: number
    readonly expectedRateBytesPerSecond: number
    readonly expectedRemainingMs: number
    readonly horizonMs: number
    readonly because: readonly Because[]
  }
}

export type LogEvent = Timed &
  (
    | { readonly type: 'started'; readonly group: string; readonly sizeBytes: number }
    | { readonly type: 'server'; readonly server: number; readonly store: string; readonly state: string }
    | ({
        readonly type: 'session'
        readonly kind: SessionKind
        readonly start: number
        readonly end: number
        readonly reason: string
        /** What its server was known to reach; null where nothing was known. */
        readonly goodputBytesPerSecond: number | null
      } & OfSession)
    | ({
        readonly type: 'split'
        readonly oldEnd: number
        readonly newEnd: number
        readonly reason: string
        readonly risk: number
      } & OfSession)
    | ({
        readonly type: 'takeOver'
        readonly reason: string
        readonly risk: number
        readonly gapMs: number
      } & OfSession)
    | ({
        readonly type: 'copy'
        readonly of: string
        readonly from: number
        readonly reason: string
        readonly risk: number
        readonly gapMs: number
        readonly because: readonly Because[]
      } & OfSession)
    | ({ readonly type: 'acked'; readonly offset: number } & OfSession)
    | ({ readonly type: 'completed' } & OfSession)
    | ({ readonly type: 'superseded' } & OfSession)
    | ({ readonly type: 'failed'; readonly cause: string } & OfSession)
    | { readonly type: 'localPause'; readonly gapMs: number }
    | { readonly type: 'paused' }
    | { readonly type: 'resumed' }
    | {
        readonly type: 'sample'
        readonly link: { readonly pGood: number }
        readonly sessions: readonly SessionSample[]
      }
    | { readonly type: 'committed' }
    | { readonly type: 'cancelled' }
    | { readonly type: 'error'; readonly code: string }
    | { readonly type: 'script'; readonly text: string }
    /** A line of a server's log about a session of one of its clients. */
    | {
        readonly type: 'atServer'
        readonly what: 'opened' | 'completed' | 'superseded' | 'terminated' | 'expired'
        readonly group: string
        readonly session: string
        readonly partition: string
        readonly store: string
        readonly start: number
        readonly end: number
        readonly offset: number
      }
  )

export type EventOf<Type extends LogEvent['type']> = Extract<LogEvent, { readonly type: Type }>
