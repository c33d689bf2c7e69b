import type { Fleet } from './fleet.js'
import { type LinkObservation, LinkState } from './link-state.js'
import type { KnownTransitions } from './link-transitions.js'

/** Guess: a late tick advances the filter by no more steps than this; ten seconds settle it. */
const MOST_STEPS = 40
/** Guess: P(nothing heard | link good) when a probe is lost and everybody is silent. */
const LOST_PROBE_CHANCE = 0.1

/** What the fleet shows of the link that all sessions share, tick by tick. */
export class LinkWatch {
  readonly state: LinkState
  readonly #fleet: Fleet
  readonly #tickMs: number
  #steppedMs: number | undefined
  #commonPhiBefore = 0

  constructor(o: { fleet: Fleet; tickMs: number; known: KnownTransitions | undefined }) {
    this.#fleet = o.fleet
    this.#tickMs = o.tickMs
    this.state = new LinkState(o.tickMs, o.known)
  }

  /** Advances the filter, by several steps when late; false when no step was due. */
  tick(nowMs: number): boolean {
    this.#steppedMs ??= nowMs
    const steps = Math.floor((nowMs - this.#steppedMs) / this.#tickMs)
    if (steps === 0) return false
    const observation = this.#observe(nowMs, this.#steppedMs)
    const quiet: LinkObservation =
      observation.kind === 'silent' ? { kind: 'silent', chanceWhenGood: 1 } : { kind: 'nothing' }
    for (let step = 1; step < Math.min(steps, MOST_STEPS); step++) this.state.step(quiet)
    this.state.step(observation)
    this.#steppedMs += steps * this.#tickMs
    return true
  }

  probeLost(): void {
    this.state.observe({ kind: 'silent', chanceWhenGood: LOST_PROBE_CHANCE })
  }

  /** A local pause: nothing is learned from it. */
  restart(nowMs: number): void {
    this.#steppedMs = nowMs
    this.#commonPhiBefore = 0
  }

  #observe(nowMs: number, sinceMs: number): LinkObservation {
    const before = this.#commonPhiBefore
    this.#commonPhiBefore = this.#fleet.commonPhi(nowMs)
    if (this.#fleet.lastLifeMs > sinceMs) {
      const rateRatio = this.#fleet.bestRatio(sinceMs)
      return rateRatio === undefined ? { kind: 'alive' } : { kind: 'alive', rateRatio }
    }
    if (this.#fleet.sessions.size === 0) return { kind: 'nothing' }
    return { kind: 'silent', chanceWhenGood: 10 ** Math.min(0, before - this.#commonPhiBefore) }
  }
}
