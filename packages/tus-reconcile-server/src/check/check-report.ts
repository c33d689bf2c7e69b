/**
 * `repaired`: records and bytes agree now. `left`: they do not, because nothing can be done, or nothing was to be done.
 * `noted`: worth knowing, and no disagreement.
 */
type Outcome = 'repaired' | 'left' | 'noted'

export interface CheckEntry {
  /** The group's id; empty for what is of all. */
  readonly group: string
  readonly finding: string
  readonly outcome: Outcome
  readonly reason: string
}

/** What a check has read and found. */
export interface CheckReport {
  /** All whose records could be read, tombstones included. */
  groups: number
  /** Whole blocks of unfinished uploads that were read, and how many bytes of files and blocks that was. */
  blocks: number
  files: number
  bytes: number
  readonly entries: CheckEntry[]
}

export function emptyReport(entries: readonly CheckEntry[] = []): CheckReport {
  return { groups: 0, blocks: 0, files: 0, bytes: 0, entries: [...entries] }
}

/** 0: records and bytes agree. 3: they do now, after repairs. 4: something was left. */
export function exitCodeOf(report: CheckReport): 0 | 3 | 4 {
  const outcomes = new Set(report.entries.map(({ outcome }) => outcome))
  if (outcomes.has('left')) return 4
  return outcomes.has('repaired') ? 3 : 0
}

/** One line for each finding, then the sum: for people, or as JSON. */
export function formatReport(report: CheckReport, form: 'text' | 'json'): string {
  const { entries, ...sums } = report
  const count = (outcome: Outcome) => entries.filter((entry) => entry.outcome === outcome).length
  const outcomes = { repaired: count('repaired'), left: count('left'), noted: count('noted') }
  const lines =
    form === 'json'
      ? [...entries, { checked: true, ...sums, ...outcomes }].map((line) => JSON.stringify(line))
      : [...entries.map(formatEntry), formatSums(report, outcomes)]
  return lines.map((line) => `${line}\n`).join('')
}

function formatEntry({ group, finding, outcome, reason }: CheckEntry): string {
  return `${outcome} ${finding}${group === '' ? '' : ` group=${group}`}: ${reason}`
}

function formatSums(report: CheckReport, outcomes: Readonly<Record<Outcome, number>>): string {
  const read = `${report.groups} groups, ${report.blocks} blocks and ${report.files} files read (${report.bytes} bytes)`
  return `${read}: ${outcomes.repaired} repaired, ${outcomes.left} left, ${outcomes.noted} noted`
}
