import type { Reason } from './risk-reasons.js'
import type { Blame, RiskSplit } from './risk-split.js'

/**
 * Three kinds of figures, which answer three questions.
 *
 * What will come: `risk`, and `late`, which is part of it and never above it.
 *
 * On whom that is to be put: `split`, whose five shares are at least 0 and add up to `risk`.
 *
 * What is wrong at this moment: `link`, `server`, `connection` and `straggle`, each a probability by itself. They are for
 * choosing a remedy, and may lie above `risk`: what has stopped may go on in time, and what is slow may have time enough.
 *
 * What a model gives makes the last three when they are asked for; its `toJSON` has all, a copy by spreading has not.
 */
export interface RiskAssessment {
  /** P(the session fails or takes over twice its plan in all); without a plan, within the horizon. */
  readonly risk: number
  /** P(takes over twice its plan in all), whatever the cause; at most `risk`, and 0 while there is no plan. */
  readonly late: number
  /** `risk` by cause: adds up to it. */
  readonly split: RiskSplit
  /** P(what all sessions share, the last mile, is bad now, or slows this one). */
  readonly link: number
  /** P(this server or its path has stopped, or fails within the horizon). Time alone never lowers what silence made of it. */
  readonly server: number
  /**
   * P(this connection alone waits for TCP's next try after an outage, while others move): a fresh one is the remedy. No
   * longer than the outage lasted; after that, or once its store leaves a question unanswered, it is `server`.
   */
  readonly connection: number
  /** P(alive, but slow against its own forecast and its peers). */
  readonly straggle: number
  /** The same as recalibrated by the outcomes so far, each by itself; as they are until there are 50. */
  readonly calibrated: {
    readonly risk: number
    readonly link: number
    readonly server: number
    readonly straggle: number
  }
  /** Suspicion of its silence: -log10 P(a gap as long | nothing is wrong), from 0 up. */
  readonly phi: number
  /** Since its last progress, its start or a local pause. */
  readonly gapMs: number
  /** Its recent rate, fading while it is silent for longer than usual. */
  readonly rateBytesPerSecond: number
  /** Its forecast; 125,000 where nothing is known. */
  readonly expectedRateBytesPerSecond: number
  /** Until all is acknowledged; a day stands for never. */
  readonly expectedRemainingMs: number
  /** Of `server`'s history, and of `risk` without a plan: twice what the rest takes at its forecast, 1 s to `maxHorizonMs`. */
  readonly horizonMs: number
  /** What all that it is to send was planned to take, its start included; undefined without a plan. */
  readonly plannedMs: number | undefined
  /** Log-odds of `risk` of a healthy session at this age; without a plan, of 1 in 1,000. */
  readonly usualLogOdds: number
  /**
   * Why the risk is what it is: what each factor adds to the usual log-odds, or takes from them, the greatest first.
   * `usualLogOdds` and the weights add up to the log-odds of `risk` (37 for certainty). Texts are for people and logs.
   */
  readonly because: readonly Reason[]
  /** Why it is put on whom: what the diagnoses rest on, the likeliest first. */
  readonly blame: readonly Blame[]
}
