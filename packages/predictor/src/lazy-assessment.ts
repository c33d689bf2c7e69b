import type { RiskAssessment } from './risk-assessment.js'
import type { Reason, Reasons } from './risk-reasons.js'
import type { Blame } from './risk-split.js'

type Told = 'usualLogOdds' | 'because' | 'blame'
export type Figures = Omit<RiskAssessment, Told>

/** The figures, and their reasons made when somebody asks for them or for JSON: texts cost more than all the rest. */
export class LazyAssessment implements RiskAssessment {
  readonly risk: number
  readonly late: number
  readonly split: RiskAssessment['split']
  readonly link: number
  readonly server: number
  readonly connection: number
  readonly straggle: number
  readonly calibrated: RiskAssessment['calibrated']
  readonly phi: number
  readonly gapMs: number
  readonly rateBytesPerSecond: number
  readonly expectedRateBytesPerSecond: number
  readonly expectedRemainingMs: number
  readonly horizonMs: number
  readonly plannedMs: number | undefined
  readonly #makeReasons: () => Reasons
  readonly #makeBlame: () => readonly Blame[]
  #reasons: Reasons | undefined
  #blame: readonly Blame[] | undefined

  constructor(f: Figures, make: { reasons: () => Reasons; blame: () => readonly Blame[] }) {
    this.risk = f.risk
    this.late = f.late
    this.split = f.split
    this.link = f.link
    this.server = f.server
    this.connection = f.connection
    this.straggle = f.straggle
    this.calibrated = f.calibrated
    this.phi = f.phi
    this.gapMs = f.gapMs
    this.rateBytesPerSecond = f.rateBytesPerSecond
    this.expectedRateBytesPerSecond = f.expectedRateBytesPerSecond
    this.expectedRemainingMs = f.expectedRemainingMs
    this.horizonMs = f.horizonMs
    this.plannedMs = f.plannedMs
    this.#makeReasons = make.reasons
    this.#makeBlame = make.blame
  }

  get usualLogOdds(): number {
    return this.#told().usualLogOdds
  }

  get because(): readonly Reason[] {
    return this.#told().because
  }

  get blame(): readonly Blame[] {
    this.#blame ??= this.#makeBlame()
    return this.#blame
  }

  /** Plain data, reasons and all: a copy by spreading has none. */
  toJSON(): RiskAssessment {
    const { usualLogOdds, because, blame } = this
    return { ...this, usualLogOdds, because, blame }
  }

  #told(): Reasons {
    this.#reasons ??= this.#makeReasons()
    return this.#reasons
  }
}
