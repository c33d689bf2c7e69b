import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { Metrics } from './metrics/metrics.js'

// docs/api/server.md names every public export, option, flag and metric, and nothing that is not there

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const page = await readFile(here('../../../docs/api/server.md'), 'utf8')
const exported = await readExports()

interface Export {
  readonly name: string
  readonly source: string
}

async function readExports(): Promise<Export[]> {
  const index = await readFile(here('index.ts'), 'utf8')
  const found: Export[] = []
  for (const [, names = '', from = ''] of index.matchAll(/export (?:type )?\{([^}]*)\} from '([^']+)'/g)) {
    const source = await readFile(here(from.replace(/\.js$/, '.ts')), 'utf8')
    for (const name of names.split(',')) {
      const bare = name.replace(/^\s*(type )?/, '').trim()
      if (bare !== '') found.push({ name: bare, source })
    }
  }
  return found
}

/** What stands under the heading of a name, up to the next heading. */
function sectionOf(name: string): string | undefined {
  return new RegExp(`^### \`${name}\`\n([\\s\\S]*?)(?=^#|(?![\\s\\S]))`, 'm').exec(page)?.[1]
}

/** The first column of the tables in a text. */
function rowsOf(text: string): string[] {
  return Array.from(text.matchAll(/^\| `([^`]+)`/gm), ([, first = '']) => first)
}

/** The members of an exported interface; `undefined` for anything else. The formatter puts each on a line of its own. */
function membersOf({ name, source }: Export): string[] | undefined {
  const body = new RegExp(`^export interface ${name}\\b[^{]*\\{\\n([\\s\\S]*?)^\\}`, 'm').exec(source)?.[1]
  if (body === undefined) return undefined
  return Array.from(body.matchAll(/^ {2}(?:readonly )?(\w+)\??[(:]/gm), ([, member = '']) => member)
}

describe('docs/api/server.md', () => {
  test('has a section for each export, and none for anything else', () => {
    const sections = Array.from(page.matchAll(/^### `([^`]+)`/gm), ([, name]) => name)
    expect(sections.toSorted()).toEqual(exported.map(({ name }) => name).toSorted())
  })

  for (const one of exported) {
    const members = membersOf(one)
    if (members === undefined) continue
    test(`says of each member of ${one.name} what it is: add a row to its table there`, () => {
      expect(rowsOf(sectionOf(one.name) ?? '').toSorted()).toEqual(members.toSorted())
    })
  }

  test('has a row for each metric, of its kind and with its labels', async () => {
    const metrics = new Metrics({ all: () => [] }, { load: 0 })
    metrics.refused('internal')
    const text = await metrics.text()
    const told = Array.from(text.matchAll(/^# TYPE (\w+) (\w+)$/gm), ([, name = '', kind = '']) => {
      const samples = Array.from(text.matchAll(new RegExp(`^${name}(?:_bucket|_sum|_count)?\\{([^}]*)`, 'gm')))
      const labels = samples.flatMap(([, pairs = '']) => [...pairs.matchAll(/(\w+)="([^"]*)"/g)])
      const ours = labels
        .filter(([, label]) => label !== 'le' && label !== 'code')
        .map(([, label, value]) => [label, value])
      return [name, kind, [...new Set(ours.flat())], labels.some(([, label]) => label === 'code')]
    })
    const rows = Array.from(
      page.matchAll(/^\| `(tus_reconcile_\w+)` *\| (\w+) *\|([^|]*)\|/gm),
      ([, name, kind, cell = '']) => {
        const words = Array.from(cell.matchAll(/`(\w+)`/g), ([, word]) => word)
        return [name, kind, words.filter((word) => word !== 'code'), words.includes('code')]
      },
    )
    const byName = (one: unknown[], other: unknown[]) => String(one[0]).localeCompare(String(other[0]))
    expect(rows.toSorted(byName)).toEqual(told.toSorted(byName))
  })

  test('has a row for each flag of the command', async () => {
    const source = await readFile(here('command/cli-options.ts'), 'utf8')
    const flags = Array.from(source.matchAll(/ption\(\s*'(--[a-z-]+)/g), ([, flag]) => flag)
    const rows = rowsOf(page).filter((row) => row.startsWith('--'))
    expect(flags.length).toBeGreaterThan(5)
    expect(rows.toSorted()).toEqual(flags.toSorted())
  })
})
