import { type Diagnosis, either, type RiskEvidence } from './diagnosis.js'
import { percent, seconds } from './reason-words.js'

/** Shares of `risk`, which they add up to. */
export interface RiskSplit {
  /** The last mile that all sessions share. */
  readonly link: number
  /** This server or its path. */
  readonly server: number
  /** This connection alone. */
  readonly connection: number
  /** Slow, by this server or its path. */
  readonly straggle: number
  /** What nothing that is known now explains: time that is lost already, and what may yet come. */
  readonly open: number
}

export type Cause = Exclude<keyof RiskSplit, 'open'>

/** One thing that a diagnosis rests on. */
export interface Blame {
  readonly cause: Cause
  readonly factor: string
  /** P(this is what is wrong). */
  readonly weight: number
  readonly text: string
}

/** Guess: what weighs less is not told. */
const LEAST_TOLD = 0.01

/**
 * Each cause has as much of the risk as its diagnosis says; where they say more than the risk in all, each the same
 * share less, and where less, the rest is open. That a store is likely down counts for its server here, not in `server`.
 */
export function splitRisk(risk: number, d: Diagnosis, pStoreDown: number): RiskSplit {
  const server = either(d.server, pStoreDown)
  const said = d.link + server + d.connection + d.straggle
  const scale = said > risk ? risk / said : 1
  const open = said > risk ? 0 : risk - said
  return {
    link: scale * d.link,
    server: scale * server,
    connection: scale * d.connection,
    straggle: scale * d.straggle,
    open,
  }
}

type Told = readonly [cause: Cause, factor: string, weight: number, text: () => string]

/** What the diagnoses rest on, likeliest first. */
export function blameFor(e: RiskEvidence, d: Diagnosis, pStoreDown: number): Blame[] {
  const silent = `silent ${seconds(e.silence.gapMs)}`
  const told: Told[] = [
    [
      'server',
      'serverSilent',
      d.serverSilent,
      () => `${silent}, ${seconds(e.silence.witnessedMs)} of it while others moved`,
    ],
    ['link', 'allSilent', d.allSilent, () => `${silent}, and no sign of life from elsewhere`],
    ['connection', 'backOff', d.connection, () => `${silent}, and waits for TCP's next try after the outage`],
    ['link', 'linkState', d.linkState, () => `the link is bad: ${percent(d.linkState)}`],
    ['straggle', 'slow', d.straggle, () => slowAlone(e, d)],
    ['link', 'slowTogether', d.slowTogether, () => slowTogether(e, d)],
    ['server', 'load', d.load, () => `busy to ${percent(e.load)}`],
    ['server', 'history', d.history, () => 'failures of this store so far'],
    ['server', 'storeDown', pStoreDown, () => "its store's last sessions failed or were late"],
  ]
  return told
    .filter(([, , weight]) => weight >= LEAST_TOLD)
    .sort(([, , a], [, , b]) => b - a)
    .map(([cause, factor, weight, text]) => ({ cause, factor, weight, text: text() }))
}

function slowAlone(e: RiskEvidence, d: Diagnosis): string {
  if (d.isOverdue) return 'what is missing is overdue, while others answer'
  const own = `at ${forecastShare(e)} of its forecast`
  if (e.peersRatio !== undefined) return `${own}, others at ${percent(e.peersRatio)} of theirs`
  return `${own}, with no other to compare with`
}

function slowTogether(e: RiskEvidence, d: Diagnosis): string {
  if (d.isOverdue) return 'what is missing is overdue, and others may be as late'
  const own = `at ${forecastShare(e)} of its forecast`
  if (e.peersRatio !== undefined) return `${own}, as others at ${percent(e.peersRatio)} of theirs`
  return `${own}, perhaps like everybody`
}

function forecastShare({ slowness }: RiskEvidence): string {
  return percent(slowness?.ratio ?? 1)
}
