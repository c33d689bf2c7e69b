import { createHash, type Hash } from 'node:crypto'
import { everythingDone } from '../../packages/uppy-adaptive/src/testing/simulated-clock.js'
import type { Client } from './client.js'
import { Coverage } from './coverage.js'
import { Invariants } from './invariants.js'
import type { Scenario } from './scenario.js'
import { planScenario } from './scenario.js'
import { describeEvent, describeScenario } from './trace.js'
import type { Observer } from './world.js'
import { World } from './world.js'

/** What one seed came to. */
export interface RunResult {
  readonly seed: number
  /** What did not hold; empty when all did. */
  readonly failures: readonly string[]
  readonly coverage: Coverage
  /** SHA-256 over everything that happened: the same for the same seed. Undefined where nobody asked for it. */
  readonly fingerprint: string | undefined
  readonly simulatedMs: number
}

/** Nobody may need longer than this, once nothing is wrong any more, beside the time that the bytes take. */
const PATIENCE_MS = 180_000
/** A patience that was nearly over when the last fault ended may end this much later. */
const LATE_PATIENCE_MS = 15_000
/** How much slower than a link alone an upload may be over it. */
const SLOWNESS = 4
/** After the groups' expiry: bodies of vanished clients end, peers hear of the end. */
const CLEAR_UP_MS = 200_000
const MAX_FAILURES = 5
const MAX_STEPS_AT_ONCE = 5_000

interface RunOptions {
  /** Told what happens, line by line. */
  readonly onLine?: (line: string) => void
  /** Writing every event down costs as much as checking it (default false). */
  readonly hasFingerprint?: boolean
}

/** One whole run from one seed. */
export function runSeed(seed: number, o: RunOptions = {}): Promise<RunResult> {
  return runScenario(planScenario(seed), o)
}

export async function runScenario(scenario: Scenario, o: RunOptions = {}): Promise<RunResult> {
  const run = new Run(scenario, o)
  await run.finish()
  return run.result()
}

class Run {
  readonly #seed: number
  readonly #onLine: ((line: string) => void) | undefined
  readonly #coverage = new Coverage()
  readonly #hash: Hash | undefined
  readonly #failures: string[] = []
  readonly #world: World
  readonly #invariants: Invariants
  readonly #healedMs: number
  #lastMs = 0
  #stepsAtOnce = 0
  #startsAnew = 0

  constructor(scenario: Scenario, { onLine, hasFingerprint = false }: RunOptions) {
    this.#seed = scenario.seed
    this.#onLine = onLine
    this.#hash = hasFingerprint ? createHash('sha256') : undefined
    // faults end with a whole millisecond, as all that waits for a time
    this.#healedMs = Math.ceil(scenario.healedMs)
    if (onLine) for (const line of describeScenario(scenario)) onLine(line)
    const early: (() => void)[] = []
    let invariants: Invariants | undefined
    const observer: Observer = {
      onEvent: (client, event) => {
        this.#hash?.update(`${client.name} ${JSON.stringify(event)}\n`)
        if (invariants) invariants.onEvent(client, event)
        else early.push(() => invariants?.onEvent(client, event))
        const text = onLine && describeEvent(event)
        if (text) this.#say(`${client.name} ${text}`)
      },
      onFault: (what) => this.#say(`-- ${what}`),
    }
    this.#world = new World(scenario, this.#coverage, observer)
    invariants = new Invariants(this.#world, (what) => this.#fail(what))
    this.#invariants = invariants
    for (const tell of early) tell()
  }

  async finish(): Promise<void> {
    await this.#stepUntil(this.#healedMs)
    for (const client of this.#world.clients) this.#startAgain(client)
    const deadlineMs = this.#healedMs + this.#boundMs()
    await this.#stepUntil(deadlineMs, async () => {
      const failed = this.#world.clients.filter((client) => this.#hasReason(client))
      for (const client of failed) this.#startAgain(client)
      if (failed.length > 0) await everythingDone()
      return !this.#isRunning()
    })
    this.#judge()
    if (this.#failures.length > 0) return
    await this.#clearUp()
    this.#invariants.end()
  }

  result(): RunResult {
    const fingerprint = this.#hash?.digest('hex')
    const failures = this.#failures.slice(0, MAX_FAILURES)
    return {
      ...{ seed: this.#seed, failures, coverage: this.#coverage, fingerprint },
      simulatedMs: this.#world.clock.now(),
    }
  }

  /** What failed by a fault, its user starts again when that has ended. */
  #startAgain(client: Client): void {
    if (client.isGone || client.isCancelled || client.outcome.kind !== 'failed') return
    this.#coverage.count('another start after the faults')
    this.#say(`-- ${client.name} is started again`)
    client.start()
  }

  /** Whether it failed of what was wrong before: of a patience that ended just then, of an answer that was given before, of an upload that was ended meanwhile. */
  #hasReason({ outcome }: Client): boolean {
    if (outcome.kind !== 'failed') return false
    const { clock, home, scenario } = this.#world
    const { faults } = scenario
    const isLate = clock.now() < this.#healedMs + LATE_PATIENCE_MS
    if (outcome.code === 'unreachable' || outcome.code === 'gave-up') return isLate
    // what the home answered before the path went dark arrives when it is back
    if (outcome.code === 'refused') return isLate && faults.some(({ kind }) => kind === 'homeRefuses')
    const ended = [...home.groups.values()].filter(({ state }) => state === 'expired' || state === 'terminated')
    return outcome.code === 'gone' && ended.length > this.#startsAnew++
  }

  async #stepUntil(untilMs: number, isDone: () => Promise<boolean> | boolean = () => false): Promise<void> {
    // where time stands still, letting what is due go off would never end
    if (this.#failures.length >= MAX_FAILURES) return
    await this.#world.clock.run(0)
    this.#invariants.step()
    while (!(await isDone()) && this.#failures.length < MAX_FAILURES && (await this.#world.clock.step(untilMs))) {
      this.#invariants.step()
      this.#refuseStandstill()
    }
  }

  /** What goes on for ever at one moment never ends. */
  #refuseStandstill(): void {
    const nowMs = this.#world.clock.now()
    this.#stepsAtOnce = nowMs === this.#lastMs ? this.#stepsAtOnce + 1 : 0
    this.#lastMs = nowMs
    if (this.#stepsAtOnce < MAX_STEPS_AT_ONCE) return
    this.#stepsAtOnce = 0
    this.#fail('time stands still')
  }

  #isRunning(): boolean {
    return this.#world.clients.some(
      ({ isGone, isCancelled, isCancelSettled, outcome }) =>
        !isGone && (outcome.kind === 'running' || (isCancelled && !isCancelSettled)),
    )
  }

  /** For everything that is left, by the slowest way alone. */
  #boundMs(): number {
    const { sizeBytes, routes, lastMileBytesPerSecond } = this.#world.scenario
    const slowest = Math.min(lastMileBytesPerSecond, ...routes.map(({ upBytesPerSecond }) => upBytesPerSecond))
    return PATIENCE_MS + (SLOWNESS * sizeBytes * 1000) / slowest
  }

  #judge(): void {
    if (this.#failures.length > 0) return
    this.#coverage.count('precondition an upload ends by itself once nothing is wrong')
    for (const client of this.#world.clients) {
      const { name, outcome, isGone, isCancelled } = client
      if (isGone) continue
      if (outcome.kind === 'running')
        this.#fail(`${name} has not ended ${Math.round(this.#boundMs())} ms after the last fault`)
      else if (outcome.kind === 'done') this.#judgeDone(name)
      else if (!isCancelled) this.#fail(`${name} failed (${outcome.code}) with nothing wrong any more`)
      else this.#coverage.count('outcome cancelled')
    }
  }

  #judgeDone(name: string): void {
    this.#coverage.count('outcome done')
    const { home } = this.#world
    if (home.files.size === 0) this.#fail(`${name} is done and there is no file`)
  }

  /** Until nothing of any upload is left but its file: by its end, or its expiry. */
  async #clearUp(): Promise<void> {
    const { expireMs } = this.#world.scenario
    await this.#stepUntil(this.#world.clock.now() + 2 * expireMs + CLEAR_UP_MS)
  }

  #fail(what: string): void {
    this.#say(`!! ${what}`)
    this.#failures.push(`${Math.round(this.#world.clock.now())} ms: ${what}`)
  }

  #say(text: string): void {
    this.#onLine?.(`${(this.#world.clock.now() / 1000).toFixed(3).padStart(10)} ${text}`)
  }
}
