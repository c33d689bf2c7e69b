import type { ByteRange } from 'tus-reconcile-protocol'
import type { FailureKind, RiskAssessment } from 'upload-predictor'
import type { BrokenPatch } from '../../partitioning/patch-history.js'
import type { PatchSize } from '../../partitioning/patch-sizer.js'
import { IN_DOUBT_PHI } from '../../redundancy/hedge-policy.js'
import { AHEAD_BYTES, decideFreshConnection, isDraining } from '../../redundancy/quiet-patch.js'
import { knownOf } from '../log/known.js'
import { rounded } from '../log/rounded.js'
import { GRACE_MS, LOCAL_PAUSE_MS, TICK_MS } from '../waiting/watch-times.js'
import { PlainPatch } from './plain-patch.js'
import type { PlainProbe } from './plain-probe.js'
import type { PlainTransferParts } from './plain-transfer.js'

/** The model is told of what was handed over at most this often, as of acknowledgements (protocol: 10 a second). */
const TELL_MS = 100

export interface FlightFailure {
  readonly kind: FailureKind
  readonly cause: string
  readonly isCut: boolean
  /** By the user: nothing failed. */
  readonly isStopped: boolean
}

/**
 * The PATCH in flight, as the risk model sees it: a session of its own whose progress is what was handed over, for a plain
 * server says nothing before its answer. Suspicion is the model's alone; the remedy is a fresh connection.
 */
export class PlainFlight {
  readonly store: string
  readonly #parts: PlainTransferParts & { readonly probing: PlainProbe }
  #patch: PlainPatch | undefined
  #broken: { patch: PlainPatch; isCut: boolean; endedMs: number } | undefined
  #freshTries = 0
  #count = 0
  #lastTickMs = 0
  #acked = 0
  #goodput: number | undefined
  /** Of the last PATCH that broke off and brought something. */
  #brokenGoodput: number | undefined
  #sizeBytes = 0
  #onReconnect: () => void = () => {}

  constructor(parts: PlainTransferParts & { readonly probing: PlainProbe }) {
    this.#parts = parts
    // an address without what may be secret in it
    this.store = new URL(parts.options.endpoint).host
  }

  /** Names the PATCH in flight, or the last one, in the log. */
  get name(): { session: string; partition: string; store: string; server: number } {
    const id = `plain-${this.#count}`
    return { session: id, partition: id, store: this.store, server: 0 }
  }

  /** Bytes of the last PATCH; 0 before the first. */
  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Of the last PATCHes that were answered; undefined before the first. */
  get goodputBytesPerSecond(): number | undefined {
    return this.#goodput
  }

  begin(range: ByteRange, size: PatchSize): void {
    const { clock, model, log } = this.#parts
    this.end('completed')
    const nowMs = clock.now()
    this.#count += 1
    this.#sizeBytes = range.end - range.start
    this.#acked = range.start
    const { session } = this.name
    this.#patch = new PlainPatch({ session, range, nowMs })
    const plannedMs = model.sessionStarted({ nowMs, session, store: this.store, rangeBytes: this.#sizeBytes })
    const known = { windowMs: size.windowMs, goodputBytesPerSecond: this.#goodput ?? null, plannedMs }
    log.emit({ type: 'session', ...this.name, ...range, kind: 'first', reason: size.reason, ...known }, nowMs)
  }

  /** Bytes of the file up to here were given to the network. */
  handedOver(offset: number): void {
    const patch = this.#patch
    if (!patch || offset <= patch.handed) return
    const nowMs = this.#parts.clock.now()
    patch.handed = Math.min(offset, patch.range.end)
    patch.lastMovedMs = nowMs
    if (nowMs - patch.toldMs >= TELL_MS) this.#tell(patch, nowMs, patch.handed)
  }

  /** The server answered the PATCH: it has so much. Returns how many of its bytes arrived. */
  acknowledged(offset: number): number {
    const { clock, model, log } = this.#parts
    const patch = this.#patch
    if (!patch) return 0
    const nowMs = clock.now()
    const bytes = offset - patch.range.start
    const durationMs = Math.max(1, nowMs - patch.beganMs)
    this.#acked = offset
    this.#freshTries = 0
    if (bytes > 0) this.#goodput = (bytes * 1000) / durationMs
    if (offset > patch.told) {
      model.acknowledged({ nowMs, session: patch.session, bytes: offset - patch.told, appLimited: true })
      log.emit({ type: 'acked', ...this.name, offset, appLimited: true }, nowMs)
    }
    this.end('completed')
    return bytes
  }

  end(outcome: 'completed' | 'failed' | 'cancelled', failure?: FlightFailure): void {
    const patch = this.#patch
    if (!patch) return
    const { clock, model, log } = this.#parts
    const nowMs = clock.now()
    this.#patch = undefined
    const isFailed = outcome === 'failed' && failure && !failure.isStopped
    if (isFailed) this.#broken = { patch, isCut: failure.isCut, endedMs: nowMs }
    if (isFailed) log.emit({ type: 'cut', ...this.name, cause: failure.cause, attempt: this.#count }, nowMs)
    const ended = { nowMs, session: patch.session }
    if (isFailed) model.sessionEnded({ ...ended, outcome, failure: failure.kind })
    else model.sessionEnded({ ...ended, outcome: outcome === 'failed' ? 'cancelled' : outcome })
  }

  /** What became of the PATCH that broke off, now that the server says how much it has. */
  takeBroken(offset: number): BrokenPatch | undefined {
    const broken = this.#broken
    this.#broken = undefined
    if (!broken) return undefined
    const { range, handed } = broken.patch
    const keptBytes = Math.max(0, offset - range.start)
    if (keptBytes > 0) {
      this.#freshTries = 0
      this.#brokenGoodput = (keptBytes * 1000) / Math.max(1, broken.endedMs - broken.patch.beganMs)
    }
    return {
      sizeBytes: range.end - range.start,
      handedBytes: handed - range.start,
      keptBytes,
      isCut: broken.isCut,
    }
  }

  /** Looks at the PATCH in flight each 250 ms; the returned function ends that. */
  watch(o: { onReconnect: () => void; onTick: () => void }): () => void {
    const { clock } = this.#parts
    this.#lastTickMs = clock.now()
    this.#onReconnect = o.onReconnect
    let cancel = () => {}
    const again = () => {
      cancel = clock.after(TICK_MS, () => {
        again()
        this.#tick(clock.now())
        o.onTick()
      })
    }
    again()
    return () => cancel()
  }

  /** The server answers again: what that means for a PATCH that stands still does not wait for the next tick. */
  look(): void {
    const { clock, model } = this.#parts
    const patch = this.#patch
    if (!patch) return
    const nowMs = clock.now()
    const { session, remainingBytes } = patch
    const assessment = model.assess({ nowMs, session, remainingBytes, isGlance: true })
    this.#treat({ patch, assessment, nowMs })
  }

  #tell(patch: PlainPatch, nowMs: number, offset: number): void {
    const { model, log } = this.#parts
    const bytes = offset - patch.told
    if (bytes <= 0) return
    // what fills buffers on our side is no rate of the path
    const pace = offset - patch.range.start <= AHEAD_BYTES ? { appLimited: true } : {}
    patch.noteTold(offset, nowMs)
    model.acknowledged({ nowMs, session: patch.session, bytes, ...pace })
    log.emit({ type: 'acked', ...this.name, offset, estimated: true, ...pace }, nowMs)
  }

  #tick(nowMs: number): void {
    const { model } = this.#parts
    const gapMs = nowMs - this.#lastTickMs
    this.#lastTickMs = nowMs
    if (gapMs > LOCAL_PAUSE_MS) {
      model.localPause({ nowMs, gapMs })
      this.#parts.progress.rest()
    }
    const patch = this.#patch
    if (patch && gapMs > LOCAL_PAUSE_MS) patch.restart(nowMs)
    if (patch) this.#tell(patch, nowMs, patch.handed)
    model.tick({ nowMs })
    const remainingBytes = patch?.remainingBytes ?? 0
    const assessment = patch && model.assess({ nowMs, session: patch.session, remainingBytes })
    this.#sample(nowMs, remainingBytes, assessment)
    if (patch && assessment) this.#treat({ patch, assessment, nowMs })
  }

  #treat(o: { patch: PlainPatch; assessment: RiskAssessment; nowMs: number }): void {
    const { patch, assessment, nowMs } = o
    const { probing, log, model, options } = this.#parts
    const { server, connection, phi, gapMs } = assessment
    const silence = {
      ...{ server, connection, phi, gapMs },
      ...patch.stateAt(nowMs),
      goodputBytesPerSecond: this.#goodput ?? this.#brokenGoodput,
      freshTries: this.#freshTries,
      answersElsewhere: probing.heardAtMs > nowMs - gapMs + GRACE_MS,
      fastestAnswerMs: probing.fastestAnswerMs,
      wasOut: probing.wasOutSince(nowMs - gapMs),
    }
    const isWanted = model.wantsProbe({ nowMs }).includes(this.store) || phi >= IN_DOUBT_PHI
    if (isWanted && !isDraining(silence)) probing.askSoon(nowMs)
    const reason = decideFreshConnection(silence)
    if (reason === undefined) return
    this.#freshTries += 1
    const { endpoint } = options
    const what = { remedy: 'freshConnection', reason, endpoint } as const
    log.emit({ type: 'reconnect', ...this.name, ...what, ...knownOf(assessment, []) }, nowMs)
    this.#onReconnect()
  }

  #sample(nowMs: number, remainingBytes: number, assessment: RiskAssessment | undefined): void {
    const { model, log } = this.#parts
    const patch = this.#patch
    const where = patch && { ...this.name, start: patch.range.start, end: patch.range.end, acked: patch.told }
    const event = {
      type: 'sample' as const,
      ackedBytes: this.#acked,
      verifiedBytes: 0,
      goodputBytesPerSecond: model.aggregateGoodput() ?? null,
      link: model.link(),
      sessions: where && assessment ? [{ ...where, kind: 'first' as const, remainingBytes, assessment }] : [],
    }
    log.emit(rounded(event), nowMs)
  }
}
