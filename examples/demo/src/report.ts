import pc from 'picocolors'
import type { LoggedEvent } from 'uppy-adaptive/upload'
import type { ScriptEvent } from './script-log.js'
import type { Story } from './story.js'
import type { Verdict } from './verdict.js'
import { nameOfServer } from './world-plan.js'

export interface ReportInput {
  readonly verdict: Verdict
  readonly story: Story
  readonly events: readonly LoggedEvent[]
  readonly script: readonly ScriptEvent[]
  readonly stopped: ReadonlySet<string>
  /** Of the servers, as the page knows them. */
  readonly endpoints: readonly string[]
}

type Line = { readonly atMs: number; readonly who: string; readonly text: string }

/** A long upload has many decisions: the middle of a longer list is left out. */
const MAX_TIMELINE = 60

/** The verdict for a person: PASS or FAIL first. */
export function formatReport(input: ReportInput): string {
  const { verdict } = input
  return [
    '',
    ...formatHead(verdict),
    '',
    pc.bold('What happened when'),
    ...formatTimeline(input),
    '',
    pc.bold('What was done, and how long before a 5 s no-progress timer'),
    ...formatDecisions(input),
    '',
    pc.bold('In numbers'),
    ...formatNumbers(verdict),
    '',
  ].join('\n')
}

function formatHead(verdict: Verdict): string[] {
  const { scenario, seed, servers, bytes, elapsedMs, oracleMs } = verdict
  const badge = verdict.ok ? pc.bgGreen(pc.black(pc.bold(' PASS '))) : pc.bgRed(pc.white(pc.bold(' FAIL ')))
  const rate = elapsedMs > 0 ? ` (${formatRate((bytes / elapsedMs) * 1000)})` : ''
  const over = oracleMs > 0 && elapsedMs > 0 ? `, ${signedPercent(elapsedMs / oracleMs - 1)} above it` : ''
  return [
    `${badge} ${scenario}, seed ${seed}, ${servers === 1 ? 'one server' : `${servers} servers`}`,
    `  ${formatBytes(bytes)} in ${pc.bold(seconds(elapsedMs))}${rate}; best possible on these links ${seconds(oracleMs)}${over}`,
    `  ${formatCommit(verdict)}`,
    ...verdict.checks.map(({ name, ok, found }) => `  ${ok ? pc.green('ok  ') : pc.red('FAIL')} ${name}: ${found}`),
  ]
}

function formatCommit(verdict: Verdict): string {
  const { commitMs, commitWaitMs, pullWaitMs, pulledAtCommit, pulledEarly } = verdict
  if (pulledAtCommit === null) return 'never committed'
  const after = commitMs === null ? '' : ` ${commitMs} ms after the last byte was acknowledged`
  const waited = (pullWaitMs ?? 0) > 0 ? `, ${pullWaitMs} ms of it waiting for pulls,` : ''
  const moved = pulledAtCommit === 0 ? 'moved no bytes' : `pulled ${formatBytes(pulledAtCommit)}`
  const early = `${formatBytes(pulledEarly ?? 0)} were pulled before`
  return `committed${after} (the commit took ${commitWaitMs} ms${waited} and ${moved}; ${early})`
}

/** Script and engine on one time axis. */
function formatTimeline({ story, events, script, endpoints }: ReportInput): string[] {
  const scripted = script.map((event): Line => {
    const where = event.target === 'lastMile' ? "user's own line" : nameOfServer(event.target)
    return { atMs: event.at - story.startedAt, who: 'script', text: `${where}: ${event.text}` }
  })
  const done = events.flatMap((event) => describe(event, endpoints) ?? [])
  const lines = [...scripted, ...done].sort((a, b) => a.atMs - b.atMs)
  const shown = lines.length > MAX_TIMELINE ? shorten(lines) : lines
  return shown.map((line) => (typeof line === 'string' ? line : formatLine(line)))
}

function shorten(lines: readonly Line[]): (Line | string)[] {
  const half = MAX_TIMELINE / 2
  const left = `  ${' '.repeat(8)} ... ${lines.length - 2 * half} more, see --events ...`
  return [...lines.slice(0, half), left, ...lines.slice(-half)]
}

function formatLine({ atMs, who, text }: Line): string {
  const label = who === 'script' ? pc.magenta(who.padEnd(7)) : pc.cyan(who.padEnd(7))
  return `  ${seconds(atMs).padStart(8)} ${label} ${text}`
}

function describe(event: LoggedEvent, endpoints: readonly string[]): Line | undefined {
  const text = event.type === 'relayed' ? tellRelay(event, endpoints) : describeText(event)
  return text === undefined ? undefined : { atMs: event.elapsedMs, who: 'engine', text }
}

function tellRelay(event: Extract<LoggedEvent, { type: 'relayed' }>, endpoints: readonly string[]): string {
  return `${event.operation} through ${nameOfServer(endpoints.indexOf(event.through))}`
}

function describeText(event: LoggedEvent): string | undefined {
  switch (event.type) {
    case 'started':
      return `started${event.resumed ? ', going on with an earlier upload' : ''}`
    case 'server':
      return `${nameOfServer(event.server)} ${event.state}: ${event.reason}`
    case 'split':
      return `split at ${nameOfServer(event.server)}, ${formatBytes(event.oldEnd - event.newEnd)} moved: ${event.reason} ${risk(event.risk)}`
    case 'takeOver':
      return `took over ${formatBytes(event.range.end - event.range.start)} of ${nameOfServer(event.server)}: ${event.reason} ${risk(event.risk)}`
    case 'copy':
      return `copy of ${formatBytes(event.range.end - event.range.start)} of ${nameOfServer(event.from)} to ${nameOfServer(event.server)}: ${event.reason} ${risk(event.risk)}`
    case 'reconnect':
      return `${event.remedy === 'otherRoute' ? 'other route' : 'fresh connection'} to ${nameOfServer(event.server)}: ${event.reason}`
    case 'cut':
      return `request to ${nameOfServer(event.server)} broke: ${event.cause}`
    case 'superseded':
      return `superseded at ${nameOfServer(event.server)} (said by the ${event.via})`
    case 'failed':
      return `session failed at ${nameOfServer(event.server)}: ${event.cause}`
    default:
      return describeRest(event)
  }
}

function describeRest(event: LoggedEvent): string | undefined {
  switch (event.type) {
    case 'warning':
      return `warning ${event.code}: ${event.message}`
    case 'resent':
      return `to be sent again: ${event.reason}`
    case 'bad':
      return 'blocks arrived damaged'
    case 'localPause':
      return `nothing ran for ${seconds(event.gapMs)}`
    case 'committing':
      return 'all bytes verified, committing'
    case 'committed':
      return `committed as ${event.url}`
    case 'error':
      return `error ${event.code}: ${event.message}`
    default:
      return undefined
  }
}

function formatDecisions({ verdict, stopped }: ReportInput): string[] {
  const takeOvers = verdict.takeOverLog.map(
    (one) =>
      `  ${seconds(one.at).padStart(8)} take-over from ${nameOfServer(one.server)}, ${one.reason}: ${lead(one.leadMs)}`,
  )
  const copies = verdict.copies.map((copy) => {
    const loser =
      copy.loserSession !== null && stopped.has(copy.loserSession) ? 'stopped on its server' : 'not seen stopped'
    const won =
      copy.winner === 'nobody'
        ? 'nobody won yet'
        : `the ${copy.winner === 'copy' ? 'copy' : 'first session'} won, the other ${loser}`
    const when = copy.beforeFailure ? 'before the first had failed' : 'after the first had failed'
    return `  ${seconds(copy.at).padStart(8)} copy ${nameOfServer(copy.from)} -> ${nameOfServer(copy.to)}, ${copy.reason}: ${lead(copy.leadMs)}, ${when}; ${won}`
  })
  const lines = [...takeOvers, ...copies]
  return lines.length === 0 ? ['  nothing had to be done'] : lines
}

function lead(leadMs: number): string {
  return leadMs >= 0 ? `${seconds(leadMs)} before the timer` : `${seconds(-leadMs)} after the timer`
}

function formatNumbers(verdict: Verdict): string[] {
  const { sizes, requestsByMethod, leftBehindDetail } = verdict
  const methods = Object.entries(requestsByMethod)
    .sort(([, a], [, b]) => b - a)
    .map(([method, count]) => `${count} ${method}`)
  const rows: [string, string][] = [
    ['partitions', `${verdict.partitions}: ${formatSizes(verdict)}`],
    [
      'smallest, largest',
      sizes.length === 0 ? '-' : `${formatBytes(Math.min(...sizes))}, ${formatBytes(Math.max(...sizes))}`,
    ],
    ['splits', String(verdict.splits)],
    ['take-overs', String(verdict.takeovers)],
    ['copies', String(verdict.copies.length)],
    ['superseded sessions', String(verdict.superseded)],
    [
      'bytes sent twice',
      `${formatBytes(verdict.bytesTwice)} (${((verdict.bytesTwice / Math.max(1, verdict.bytes)) * 100).toFixed(2)} %)`,
    ],
    ['requests', `${verdict.requests}: ${methods.join(', ')}`],
    ['left behind', leftBehindDetail.length === 0 ? 'nothing' : leftBehindDetail.join('; ')],
    ['SHA-256', verdict.sha256.source],
  ]
  return rows.map(([name, value]) => `  ${name.padEnd(20)} ${value}`)
}

/** Sizes by server, in MiB, in the order of their creation. */
function formatSizes({ sizeLog }: Verdict): string {
  const servers = [...new Set(sizeLog.map((entry) => entry.server))].sort()
  const rows = servers.map((server) => {
    const own = sizeLog.filter((entry) => entry.server === server).map((entry) => (entry.bytes / 1024 ** 2).toFixed(1))
    return `${nameOfServer(server)} ${own.join(' ')}`
  })
  return rows.length === 0 ? 'none' : `MiB\n${rows.map((row) => `  ${' '.repeat(20)}   ${row}`).join('\n')}`
}

function risk(value: number): string {
  return pc.dim(`(risk ${value.toFixed(2)})`)
}

function seconds(ms: number): string {
  return Number.isFinite(ms) ? `${(ms / 1000).toFixed(2)} s` : 'never'
}

function signedPercent(share: number): string {
  return `${Math.round(share * 100)} %`
}

function formatRate(bytesPerSecond: number): string {
  return `${((bytesPerSecond * 8) / 1e6).toFixed(1)} Mbit/s`
}

function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  return bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(0)} KiB` : `${(bytes / 1024 ** 2).toFixed(1)} MiB`
}
