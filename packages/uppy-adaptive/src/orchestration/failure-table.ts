import type { FailureKind } from 'upload-predictor'

/** What can go wrong without an answer of the server, by the names that the table gives it. */
export type Fault =
  | 'reset'
  | 'refused connection'
  | 'DNS'
  | 'no route'
  | 'TLS'
  | 'timed out'
  | 'status 0'
  | 'no Tus-Resumable'
  | 'incomplete answer'

/** A status, the first and last of a range of them, or a fault. */
type Trigger = number | readonly [first: number, last: number] | Fault

/** The kinds of outcome that an attempt has (`AttemptOutcome`); what is done after each is `decideNextStep`'s. */
type RuleKind = 'mismatch' | 'over' | 'tooLarge' | 'wait' | 'full' | 'denied' | 'refused' | 'cut'

/** What one status or fault of a request means, and what follows. docs/failures.md shows the table to users. */
export interface FailureRule {
  readonly on: readonly Trigger[]
  /** Only with, or only without, a `Retry-After` that can be read. */
  readonly retryAfter?: boolean
  readonly meaning: string
  readonly kind: RuleKind
  /** Whether the server may hold bytes of this body: none, what the answer says, or nobody knows. */
  readonly arrived: 'no' | 'as it says' | 'perhaps'
  readonly next: string
  /** What the predictor is told of the server; `configuration` says nothing of its health. */
  readonly tells: FailureKind
  /** Whether other stores take the rest: at once, once it has lasted (two attempts in a row in vain), or never. */
  readonly elsewhere: 'at once' | 'if it lasts' | 'no'
  /** The home is waited for as long as `giveUpAfter` allows. What does not count ends, or goes on at once. */
  readonly isWaitedFor: boolean
}

const LOOK = 'ask what arrived, then go on from there; from the second time on after a growing pause'
const PAUSE = 'after a growing pause ask what it has, then go on from there'
const STOP = 'a mirror is left out; of the primary the upload fails'

const cut = { kind: 'cut', arrived: 'perhaps', next: LOOK, elsewhere: 'if it lasts', isWaitedFor: true } as const
const unreached = { ...cut, arrived: 'no', next: PAUSE } as const
const refused = { kind: 'refused', next: STOP, elsewhere: 'at once', isWaitedFor: false } as const

/** Exact statuses before ranges: the first row that fits is the rule. */
export const FAILURES: readonly FailureRule[] = [
  {
    on: [401, 403],
    meaning: 'the credentials have expired, are wrong, or do not suffice',
    kind: 'denied',
    arrived: 'no',
    next: 'ask `headers` once for others, then ask what arrived and go on; the same ones refused again, or none to ask for: as other 4xx',
    tells: 'configuration',
    elsewhere: 'at once',
    isWaitedFor: false,
  },
  {
    on: [404, 410],
    meaning: 'the session or the upload is over; `Reconcile-State` says why',
    kind: 'over',
    arrived: 'as it says',
    next: 'never created again; what is missing is planned anew',
    tells: 'configuration',
    elsewhere: 'at once',
    isWaitedFor: false,
  },
  { ...cut, on: [408], meaning: 'the server saw no progress', tells: 'timeout' },
  {
    on: [409],
    meaning: 'the server has another offset than we thought',
    kind: 'mismatch',
    arrived: 'as it says',
    next: 'go on from `Upload-Offset`; without one, or the third time in a row, as a cut',
    tells: 'serverError',
    elsewhere: 'if it lasts',
    isWaitedFor: true,
  },
  {
    on: [413],
    meaning: 'the body is larger than the server, or a proxy before it, takes at once',
    kind: 'tooLarge',
    arrived: 'no',
    next: 'smaller bodies, and the host is remembered for it; the end where `Upload-Limit` says that the file itself is too large, and under 16 KiB',
    tells: 'configuration',
    elsewhere: 'no',
    isWaitedFor: false,
  },
  {
    on: [423],
    meaning: 'another request of ours still writes there, or the file is being made',
    kind: 'wait',
    arrived: 'no',
    next: `wait for \`Retry-After\`, at most 60 s; else ${PAUSE}`,
    tells: 'configuration',
    elsewhere: 'if it lasts',
    isWaitedFor: true,
  },
  {
    on: [429],
    meaning: 'the server, or its proxy, has too much to do',
    kind: 'wait',
    arrived: 'perhaps',
    next: `wait for \`Retry-After\`, at most 60 s; else ${PAUSE}`,
    tells: 'load',
    elsewhere: 'if it lasts',
    isWaitedFor: true,
  },
  {
    ...cut,
    on: [421, 425],
    meaning: 'the connection was the wrong one, or too young',
    tells: 'configuration',
  },
  {
    ...cut,
    on: [460],
    meaning: 'the bytes did not arrive as they were sent',
    arrived: 'as it says',
    tells: 'connection',
  },
  {
    ...refused,
    on: [501, 505],
    meaning: 'the server cannot do this, and will not learn it',
    arrived: 'no',
    tells: 'configuration',
  },
  {
    on: [503],
    retryAfter: true,
    meaning: 'the server is overloaded or stops, and says for how long',
    kind: 'wait',
    arrived: 'perhaps',
    next: 'wait for `Retry-After`, at most 60 s, then ask what it has',
    tells: 'load',
    elsewhere: 'if it lasts',
    isWaitedFor: true,
  },
  {
    on: [503],
    retryAfter: false,
    meaning: 'as a proxy says of a server that is away',
    kind: 'wait',
    arrived: 'perhaps',
    next: PAUSE,
    tells: 'serverError',
    elsewhere: 'if it lasts',
    isWaitedFor: true,
  },
  {
    on: [507],
    meaning: 'the server has no room',
    kind: 'full',
    arrived: 'as it says',
    next: STOP,
    tells: 'serverError',
    elsewhere: 'at once',
    isWaitedFor: false,
  },
  { ...cut, on: [502, 504], meaning: 'a proxy did not get an answer of its server', tells: 'serverError' },
  {
    ...cut,
    on: [[520, 527], 530],
    meaning: 'Cloudflare did not get an answer of its server',
    tells: 'serverError',
  },
  { ...cut, on: [[500, 599]], meaning: 'the server failed', tells: 'serverError' },
  {
    ...refused,
    on: [[300, 499]],
    meaning: 'the request is wrong, or not allowed',
    arrived: 'no',
    tells: 'configuration',
  },
  {
    ...cut,
    on: ['no Tus-Resumable'],
    meaning: 'below 500 and without `Tus-Resumable`: a captive portal or a proxy answers for the server',
    tells: 'connection',
  },
  {
    ...cut,
    on: ['incomplete answer'],
    meaning: '2xx without `Upload-Offset` or `Location`, or with which nothing moved',
    tells: 'serverError',
  },
  {
    ...cut,
    on: ['reset'],
    meaning: 'the connection broke: ECONNRESET, EPIPE, or an answer that breaks off',
    next: `${LOOK}. Where nothing arrived though the server answers: with smaller bodies`,
    tells: 'connection',
  },
  {
    ...cut,
    on: ['status 0'],
    meaning: 'the browser does not say: network, CORS, or a refusal of the body by a proxy',
    next: `${LOOK}. Where nothing arrived though the server answers: with smaller bodies`,
    tells: 'connection',
  },
  { ...cut, on: ['timed out'], meaning: 'nobody answered in time', tells: 'timeout' },
  {
    ...unreached,
    on: ['refused connection'],
    meaning: 'nobody listens there: a server that restarts',
    tells: 'connection',
  },
  { ...unreached, on: ['DNS'], meaning: 'the name is not found', tells: 'connection' },
  { ...unreached, on: ['no route'], meaning: 'the network or the host cannot be reached', tells: 'connection' },
  {
    ...unreached,
    on: ['TLS'],
    meaning: 'the certificate is not to be trusted, as in a captive portal, or TLS failed',
    tells: 'connection',
  },
]

/** The rule of a status from 300 on. @param hasRetryAfter the answer says for how long to wait */
export function ruleOfStatus(status: number, hasRetryAfter = false): FailureRule {
  const rule = FAILURES.find(
    ({ on, retryAfter }) =>
      (retryAfter === undefined || retryAfter === hasRetryAfter) && on.some((trigger) => includes(trigger, status)),
  )
  if (!rule) throw new RangeError(`${status} is no failure`)
  return rule
}

/** Whether a server that refuses with this is asked again: a control operation, or OPTIONS, has no other server to go to. */
export function isPassing(answer: { status: number; retryAfterMs?: number | undefined }): boolean {
  return ruleOfStatus(answer.status, answer.retryAfterMs !== undefined).isWaitedFor
}

export function ruleOfFault(fault: Fault): FailureRule {
  const rule = FAILURES.find(({ on }) => on.includes(fault))
  if (!rule) throw new RangeError(`no rule for ${fault}`)
  return rule
}

function includes(trigger: Trigger, status: number): boolean {
  if (typeof trigger === 'number') return trigger === status
  return typeof trigger === 'object' && status >= trigger[0] && status <= trigger[1]
}
