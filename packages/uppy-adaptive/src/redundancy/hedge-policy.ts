import { type CopyGain, type CopyRefusal, describeGain, estimateCopyGain, refuseGain } from './copy-gain.js'
import { seconds } from './reason-words.js'

/** What the policy knows of one session in flight. Times in milliseconds, rates in bytes per second. */
export interface SessionRisk {
  readonly remainingBytes: number
  /** P(this server or its path fails the session | link good), and P(alive but slow, and others are not). */
  readonly server: number
  readonly straggle: number
  /** P(this connection alone waits for TCP's next try after an outage): a new one cures it, and no server is to blame. */
  readonly connection: number
  /** Stall suspicion, −log10 P(a gap this long). */
  readonly phi: number
  readonly gapMs: number
  /** Since its first byte could go out. */
  readonly ageMs: number
  /** Grows with its silence. */
  readonly expectedRemainingMs: number
  readonly isCopy: boolean
  readonly hasCopy: boolean
  /** Another address of the store has answered during this silence, and the session's own has not. */
  readonly hasOtherRoute: boolean
  /** The same store answered on a new connection well after this silence began. */
  readonly answersElsewhere: boolean
  /** How long into this silence its own address has answered on other connections, promptly and without a break; 0 if it has not. */
  readonly answeredForMs: number
  /** How long the slowest of those answers took beyond the two round trips of a new connection. */
  readonly answerMs: number
  /** How long into this silence it would have been told of, had a byte arrived: all of it, unless its event stream broke off. */
  readonly toldForMs: number
  /** Its store is in suspicion already, by another of its sessions or by a request that failed. */
  readonly storeIsSuspect: boolean
  /** Fresh connections already tried in this silence. */
  readonly freshTries: number
}

export interface HedgeSurroundings {
  readonly unassignedBytes: number
  readonly linkIsGood: boolean
  /** Expected completion of the session's rest on the best other store that could take it now; undefined if there is none. */
  readonly bestAlternativeMs: number | undefined
  /** A small request takes so long there and back on the link as it is now, by the fastest path; undefined while none was measured. */
  readonly linkRttMs: number | undefined
  /** To all servers: they share the user's link. */
  readonly sessionsInFlight: number
  readonly copiesInFlight: number
  readonly budgetBytes: number
  /** `redundancy: false` turns copies off and keeps the rest. `threshold`: of a copy's worth, see `estimateCopyGain`. */
  readonly copies: { readonly threshold: number; readonly maxConcurrent: number } | false
}

export type Remedy =
  /** `withheld`: why something that is in trouble is left as it is. */
  | { readonly kind: 'none'; readonly withheld?: Refusal }
  | { readonly kind: 'freshConnection'; readonly reason: string }
  | { readonly kind: 'otherRoute'; readonly reason: string }
  | { readonly kind: 'split'; readonly reason: string }
  | { readonly kind: 'takeOver'; readonly reason: string }
  | { readonly kind: 'copy'; readonly reason: string; readonly gain: CopyGain }

export type RefusalCode = 'noAlternative' | 'off' | 'isCopy' | 'link' | 'concurrency' | 'budget' | CopyRefusal['code']

/** Why a remedy is not applied. The code stays where the figures in the text change. */
export interface Refusal {
  readonly code: RefusalCode
  readonly reason: string
  /** Of the copy that does not start, where it was weighed. */
  readonly gain?: CopyGain
}

const NONE: Remedy = { kind: 'none' }
const ALONE = {
  kind: 'none',
  withheld: { code: 'noAlternative', reason: 'no other server could take it now' },
} as const
/** phi from which a silence is in doubt, and from which it is given up (METHODS, Stall suspicion: measured on 22 traces). */
export const IN_DOUBT_PHI = 2
export const ABANDON_PHI = 3.5
/** Answers on other connections for so long beside a suspicious silence: server and link live, and this connection does not (guess: three more tries of TCP's own). */
const HALF_DEAD_MS = 1_750
/** What a small answer takes on a slow link, the next packet of a living connection takes some times over, and so do those of all others, which come first (guess: a packet is two or three of an answer, doubled). */
const HALF_DEAD_ANSWERS = 5
/** An event stream that is open again has told by now what arrived without it, and what arrives (guess: several events of a body that moves). */
const TOLD_MS = 750
/** Suspicion is about the server when it is more likely than not (cost-optimal between equals). */
const SERVER_CAUSED = 0.5
const STRAGGLING = 0.5
/** In so many round trips a connection finds its pace: before, nobody is slow (guess: slow start takes seven to fill 20 Mbit/s at 600 ms). */
const STARTING_RTTS = 6
/**
 * The least drastic remedy that is likely to help (DESIGN 5.10): fresh connection, other route, take over the unsent rest,
 * copy. Taking over needs suspicion only; a copy sends bytes twice, so it also needs a good link, budget, nothing unsent,
 * and time to gain. Where it has that, it waits for no remedy's own threshold.
 */
export function decideRemedy(session: SessionRisk, around: HedgeSurroundings): Remedy {
  if (session.remainingBytes <= 0) return NONE
  return isSilent(session, around) ? decideForSilent(session, around) : decideForMoving(session, around)
}

/** Why a fresh connection is worth a try: TCP of the old one waits, or the server answers on another. */
export function describeBackedOff({ gapMs }: Pick<SessionRisk, 'gapMs'>): string {
  return `silent ${seconds(gapMs)} since the link was out, as a connection that backs off is`
}

export function describeAnswered({ gapMs }: Pick<SessionRisk, 'gapMs'>): string {
  return `silent ${seconds(gapMs)}, but the server answers on a new connection`
}

function isSilent(session: SessionRisk, around: HedgeSurroundings): boolean {
  if (session.phi < IN_DOUBT_PHI || isUntold(session)) return false
  // what is suspect already needs no second proof that it is the server
  if (session.storeIsSuspect || session.server >= SERVER_CAUSED) return true
  return isBackedOff(session, around) || isHalfDead(session, around)
}

/** The server lives, and perhaps the session does: nobody tells. */
function isUntold({ answersElsewhere, toldForMs, gapMs }: SessionRisk): boolean {
  return answersElsewhere && toldForMs < Math.min(gapMs, TOLD_MS)
}

/** A link that fades lets answers through long before bodies: it is no connection's fault. */
function isHalfDead(session: SessionRisk, around: HedgeSurroundings): boolean {
  const neededMs = Math.max(HALF_DEAD_MS, nextPacketsMs(session, around))
  return around.linkIsGood && session.answersElsewhere && session.answeredForMs >= neededMs
}

/** The same, and the link is back: its server has answered since, promptly, and for as long as a living one's bytes take. */
function isBackedOff(session: SessionRisk, around: HedgeSurroundings): boolean {
  const isBack = session.answeredForMs > 0 && session.answeredForMs >= nextPacketsMs(session, around)
  return isBack && isOfConnection(session)
}

/** After so long of such answers the next packets of all sessions have arrived. */
function nextPacketsMs({ answerMs }: SessionRisk, { sessionsInFlight }: HedgeSurroundings): number {
  return HALF_DEAD_ANSWERS * sessionsInFlight * answerMs
}

/** A silence that is more likely the connection's alone than anybody's. */
export function isOfConnection({ connection, server }: Pick<SessionRisk, 'connection' | 'server'>): boolean {
  return connection >= SERVER_CAUSED && connection > server
}

function decideForSilent(session: SessionRisk, around: HedgeSurroundings): Remedy {
  const silence = `silent ${seconds(session.gapMs)} while others move`
  if (session.hasOtherRoute) return { kind: 'otherRoute', reason: `${silence}; another route reaches the same store` }
  if (isBackedOff(session, around)) {
    const reason = describeBackedOff(session)
    return session.freshTries === 0 ? { kind: 'freshConnection', reason } : NONE
  }
  if (session.answersElsewhere) {
    // the path lives: what looks like silence may be a slow connection, which a new one would only delay
    if (!isHalfDead(session, around)) return decideForMoving(session, around)
    const reason = describeAnswered(session)
    // alone with this server, trying again is all there is
    if (session.freshTries === 0 || around.bestAlternativeMs === undefined) return { kind: 'freshConnection', reason }
  }
  if (session.hasCopy) return NONE
  if (around.bestAlternativeMs === undefined) return ALONE
  if (around.unassignedBytes > 0) return { kind: 'takeOver', reason: silence }
  const isGivenUp = session.phi >= ABANDON_PHI
  const copy = decideCopy(session, around, { isGivenUp })
  if (copy.kind === 'copy') return { ...copy, reason: `${silence}, and nothing is unsent: ${copy.reason}` }
  if (!isGivenUp) return copy
  return { kind: 'takeOver', reason: `${silence}; no copy: ${copy.withheld.reason}` }
}

function decideForMoving(session: SessionRisk, around: HedgeSurroundings): Remedy {
  if (session.isCopy || session.hasCopy) return NONE
  if (session.ageMs < STARTING_RTTS * (around.linkRttMs ?? 0)) return NONE
  return session.straggle >= STRAGGLING ? decideForSlow(session, around) : decideForDoubtful(session, around)
}

function decideForSlow(session: SessionRisk, around: HedgeSurroundings): Remedy {
  const { bestAlternativeMs: alternative } = around
  if (alternative === undefined) return ALONE
  const slowness = `slow: ${seconds(session.expectedRemainingMs)} to go here, ${seconds(alternative)} elsewhere`
  if (session.expectedRemainingMs < 2 * alternative)
    return { kind: 'none', withheld: { code: 'gain', reason: `${slowness}: under twice as long` } }
  if (around.unassignedBytes > 0 || session.remainingBytes > SPLITTABLE_BYTES)
    return { kind: 'split', reason: slowness }
  const copy = decideCopy(session, around)
  return copy.kind === 'copy' ? { ...copy, reason: `${slowness}, and nothing is unsent: ${copy.reason}` } : copy
}

/** Neither suspect of silence nor a straggler yet, in the endgame: what a copy is expected to gain decides alone. */
function decideForDoubtful(session: SessionRisk, around: HedgeSurroundings): Remedy {
  if (around.unassignedBytes > 0) return NONE
  const copy = decideCopy(session, around)
  if (copy.kind === 'copy') return { ...copy, reason: `in doubt, and nothing is unsent: ${copy.reason}` }
  // of a healthy one nobody asks why it has no copy
  return copy.withheld.gain && copy.withheld.code !== 'risk' ? copy : NONE
}

/** Under two blocks there is no tail worth moving: only a copy helps. */
const SPLITTABLE_BYTES = 2 * 262_144

type CopyDecision = Extract<Remedy, { kind: 'copy' }> | { readonly kind: 'none'; readonly withheld: Refusal }

/** Whether a copy may start now and pays, once nothing is unsent and no lighter remedy is left. */
export function decideCopy(
  session: SessionRisk,
  around: HedgeSurroundings,
  o: { isGivenUp?: boolean } = {},
): CopyDecision {
  const refuse = (code: RefusalCode, reason: string, gain?: CopyGain): CopyDecision => ({
    kind: 'none',
    withheld: { code, reason, ...(gain && { gain }) },
  })
  const { copies, bestAlternativeMs: alternativeMs } = around
  if (!copies) return refuse('off', 'copies are off')
  if (session.isCopy) return refuse('isCopy', 'it is a copy itself')
  if (alternativeMs === undefined) return { kind: 'none', withheld: ALONE.withheld }
  if (!around.linkIsGood) return refuse('link', 'the link itself is in doubt')
  const isGivenUp = o.isGivenUp ?? false
  const gain = estimateCopyGain({ ...session, alternativeMs, isGivenUp })
  const refusal = refuseGain(gain, { threshold: copies.threshold, isGivenUp })
  if (refusal) return refuse(refusal.code, refusal.reason, gain)
  if (around.copiesInFlight >= copies.maxConcurrent)
    return refuse('concurrency', `${around.copiesInFlight} copies are in flight`, gain)
  if (session.remainingBytes > around.budgetBytes) return refuse('budget', 'the byte budget is spent', gain)
  return { kind: 'copy', reason: isGivenUp ? 'it is given up otherwise' : describeGain(gain), gain }
}
