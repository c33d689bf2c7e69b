/** What a script, or a person at the switches, did to the links: told to nobody but the log. */
export interface ScriptEvent {
  readonly type: 'script'
  /** Wall clock, ms since 1970, as the engine's events. */
  readonly at: number
  readonly scenario: string
  readonly action: ScriptAction
  /** Server index, or the user's own line. */
  readonly target: number | 'lastMile'
  readonly text: string
}

export type ScriptAction =
  | 'slow'
  | 'stall'
  | 'blackHole'
  | 'reset'
  | 'kill'
  | 'restart'
  | 'cut'
  | 'normal'
  /** Nothing was done, and why. */
  | 'none'

export class ScriptLog {
  readonly events: ScriptEvent[] = []
  readonly #scenario: string

  constructor(scenario: string) {
    this.#scenario = scenario
  }

  note(target: ScriptEvent['target'], action: ScriptAction, text: string): void {
    this.events.push({ type: 'script', at: Date.now(), scenario: this.#scenario, action, target, text })
  }
}
