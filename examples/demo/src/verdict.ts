import type { ScenarioName } from './options.js'
import type { CopyEntry, SizeEntry, Story, TakeOverEntry } from './story.js'

export interface Check {
  readonly name: string
  readonly ok: boolean
  /** What was found. */
  readonly found: string
}

/** What was measured outside the page. */
export interface Measured {
  readonly scenario: ScenarioName
  readonly seed: number
  readonly servers: number
  readonly sizeBytes: number
  readonly sourceSha256: string
  readonly storedSha256: string | null
  readonly oracleMs: number
  /** Body bytes that left the page's links. */
  readonly bodyBytes: number
  readonly requests: Readonly<Record<string, number>>
  readonly leftBehind: readonly string[]
  /** Sessions that a server's log says it ended as superseded. */
  readonly stoppedSessions: ReadonlySet<string>
  /** What went wrong around the upload: the page's errors, the script's own. */
  readonly problems: readonly string[]
}

/** The verdict as `--json` writes it: the first keys are a promise, the rest is for reading. */
export interface Verdict {
  readonly ok: boolean
  readonly sha256: { readonly source: string; readonly stored: string | null }
  readonly bytes: number
  readonly elapsedMs: number
  readonly oracleMs: number
  readonly partitions: number
  readonly sizes: readonly number[]
  readonly splits: number
  readonly takeovers: number
  readonly copies: readonly CopyEntry[]
  readonly superseded: number
  readonly bytesTwice: number
  readonly requests: number
  readonly leftBehind: number
  readonly scenario: ScenarioName
  readonly seed: number
  readonly servers: number
  readonly sizeLog: readonly SizeEntry[]
  readonly takeOverLog: readonly TakeOverEntry[]
  readonly requestsByMethod: Readonly<Record<string, number>>
  readonly leftBehindDetail: readonly string[]
  readonly commitMs: number | null
  readonly commitWaitMs: number | null
  /** Of that, waiting for the home's pulls. */
  readonly pullWaitMs: number | null
  readonly pulledAtCommit: number | null
  readonly pulledEarly: number | null
  /** Copies whose loser was stopped, as its own server's log says. */
  readonly losersStopped: number
  readonly error: string | null
  readonly problems: readonly string[]
  readonly checks: readonly Check[]
}

/** Judges one run. */
export function judge(story: Story, measured: Measured): Verdict {
  const bytesTwice = Math.max(0, measured.bodyBytes - measured.sizeBytes)
  const checks = listChecks(story, measured, bytesTwice)
  return {
    ok: checks.every((check) => check.ok),
    sha256: { source: measured.sourceSha256, stored: measured.storedSha256 },
    bytes: measured.sizeBytes,
    elapsedMs: Math.round(story.endedAtMs),
    oracleMs: Math.round(measured.oracleMs),
    partitions: story.sizeLog.length,
    sizes: story.sizeLog.map((entry) => entry.bytes),
    splits: story.splits,
    takeovers: story.takeOvers.length,
    copies: story.copies,
    superseded: story.superseded.length,
    bytesTwice,
    requests: Object.values(measured.requests).reduce((sum, count) => sum + count, 0),
    leftBehind: measured.leftBehind.length,
    scenario: measured.scenario,
    seed: measured.seed,
    servers: measured.servers,
    sizeLog: story.sizeLog,
    takeOverLog: story.takeOvers,
    requestsByMethod: measured.requests,
    leftBehindDetail: measured.leftBehind,
    ...commitFacts(story),
    losersStopped: story.copies.filter((copy) => wasStopped(copy, measured.stoppedSessions)).length,
    error: story.error ?? null,
    problems: measured.problems,
    checks,
  }
}

export function wasStopped({ loserSession }: CopyEntry, stopped: ReadonlySet<string>): boolean {
  return loserSession !== null && stopped.has(loserSession)
}

function commitFacts({ committed, commitMs }: Story): {
  commitMs: number | null
  commitWaitMs: number | null
  pullWaitMs: number | null
  pulledAtCommit: number | null
  pulledEarly: number | null
} {
  return {
    commitMs: commitMs === null ? null : Math.round(commitMs),
    commitWaitMs: committed ? Math.round(committed.waitMs) : null,
    pullWaitMs: committed ? Math.round(committed.pullWaitMs) : null,
    pulledAtCommit: committed?.pulledAtCommit ?? null,
    pulledEarly: committed?.pulledEarly ?? null,
  }
}

/** What exit status 0 promises. */
function listChecks(story: Story, measured: Measured, bytesTwice: number): Check[] {
  const { scenario, sourceSha256, storedSha256, leftBehind, problems } = measured
  const checks: Check[] = [
    { name: 'upload finished', ok: story.committed !== undefined, found: story.error ?? commitWord(story) },
    { name: 'stored file is the source', ok: storedSha256 === sourceSha256, found: storedSha256 ?? 'nothing stored' },
    { name: 'nothing left behind', ok: leftBehind.length === 0, found: leftBehind.join('; ') || 'nothing' },
    { name: 'page and script ran', ok: problems.length === 0, found: problems.join('; ') || 'no error' },
  ]
  if (scenario === 'clean') {
    checks.push({ name: 'no byte sent twice', ok: bytesTwice === 0, found: `${bytesTwice} bytes twice` })
  }
  if (scenario === 'lastmile' || measured.servers === 1) {
    checks.push({ name: 'no copy', ok: story.copies.length === 0, found: `${story.copies.length} copies` })
  }
  return checks
}

function commitWord({ committed }: Story): string {
  return committed ? 'committed' : 'it never committed'
}
