import { readFile, writeFile } from 'node:fs/promises'
import type { Figure, Spread } from './figures.js'
import { type Machine, machineText } from './machine.js'

export interface Report {
  readonly date: string
  readonly machine: Machine
  readonly rounds: number
  readonly quick: boolean
  readonly seconds: number
  readonly figures: readonly Figure[]
  /** What else is to be known of how it was measured. */
  readonly told?: string
}

/** Three digits that count. */
function number(value: number): string {
  if (value === 0 || Math.abs(value) >= 100) return value.toFixed(0)
  return Number(value.toPrecision(3)).toString()
}

function spread({ median, least, most }: Spread): string {
  return least === most ? number(median) : `${number(median)} (${number(least)}–${number(most)})`
}

export function figureLine(figure: Figure): string {
  const parts = [`${figure.name}: ${spread(figure.ours)} ${figure.unit}`]
  if (figure.other) parts.push(`${figure.other.name}: ${spread(figure.other.value)}`)
  if (figure.ratio) parts.push(`ratio ${spread(figure.ratio)}`)
  if (figure.goal) parts.push(`${figure.goal.text}: ${figure.goal.isReached ? 'reached' : 'NOT reached'}`)
  if (figure.note) parts.push(figure.note)
  return parts.join('; ')
}

export function machineLine({ machine, rounds, quick, seconds, told }: Report): string {
  const how = `${rounds} rounds${quick ? ', quick sizes' : ''}, ${Math.round(seconds)} s`
  return [machineText(machine), ...(told === undefined ? [] : [told]), how].join('; ')
}

/** Puts the figures into their document, where the command stands. @throws Error where its marks are missing */
export async function writeMarkdown(
  path: string,
  { command, report }: { command: string; report: Report },
): Promise<void> {
  const rows = report.figures.map((figure) => {
    const { name, unit, ours, other, ratio, goal, note = '' } = figure
    const reached = goal ? `${goal.text}: ${goal.isReached ? 'yes' : '**no**'}` : ''
    const compared = other ? `${spread(other.value)}, ${other.name}` : ''
    return `| ${[name, `${spread(ours)} ${unit}`, compared, ratio ? spread(ratio) : '', reached, note].join(' | ')} |`
  })
  const table = [
    '| What | Ours | Compared with | Ratio | To reach | |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
  ]
  const marks = { begin: `<!-- figures: npm run ${command} -- --markdown -->`, end: '<!-- end of figures -->' }
  await putBetween(path, marks, `${report.date}: ${machineLine(report)}\n\n${table.join('\n')}`)
}

/** Replaces what stands between two marks of a document. @throws Error where they are missing */
export async function putBetween(path: string, marks: { begin: string; end: string }, body: string): Promise<void> {
  const text = await readFile(path, 'utf8')
  const [begin, end] = [text.indexOf(marks.begin), text.indexOf(marks.end)]
  if (begin < 0 || end < begin) throw new Error(`${path} has no lines ${marks.begin} and ${marks.end} to write between`)
  const written = `${marks.begin}\n\n${body}\n\n${marks.end}`
  await writeFile(path, text.slice(0, begin) + written + text.slice(end + marks.end.length))
}
