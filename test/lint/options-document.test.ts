import { readFile } from 'node:fs/promises'
import { beforeAll, expect, test } from 'vitest'

const SOURCE = new URL('../../packages/uppy-adaptive/src/', import.meta.url)
const DOCUMENT = new URL('../../docs/api/options.md', import.meta.url)

let text = ''
beforeAll(async () => {
  text = await readFile(DOCUMENT, 'utf8')
})

/** First cells of the next table that begins with `head`, behind a heading. */
function rowsOf(head: string, heading = '# '): string[] {
  const section = text.slice(text.indexOf(heading))
  const [, , ...rows] = section.slice(section.indexOf(head)).split('\n')
  const end = rows.findIndex((row) => !row.startsWith('|'))
  return rows.slice(0, end).map((row) => /`([^`]+)`/.exec(row)?.[1] ?? row)
}

async function membersOf(file: string, name: string): Promise<string[]> {
  const source = await readFile(new URL(file, SOURCE), 'utf8')
  const [, body] = new RegExp(`^export interface ${name}\\b[^\\n]*{\\n([\\s\\S]*?)^}`, 'm').exec(source) ?? []
  const members = [...(body ?? '').matchAll(/^ {2}(?:readonly )?(\w+)\??:/gm)].map(([, member]) => member ?? '')
  expect(members).not.toEqual([])
  return members
}

async function codesOf(name: string): Promise<string[]> {
  const source = await readFile(new URL('orchestration/upload-error.ts', SOURCE), 'utf8')
  const [, body] = new RegExp(`^export type ${name} =\\n([\\s\\S]*?)\\n\\n`, 'm').exec(source) ?? []
  const codes = [...(body ?? '').matchAll(/'([a-z-]+)'/g)].map(([, code]) => code ?? '')
  expect(codes).not.toEqual([])
  return codes
}

const OPTIONS = 'orchestration/options.ts'

test('the document has every option of the engine, and no other', async () => {
  const engine = [
    ...(await membersOf(OPTIONS, 'UploadOptions')),
    ...(await membersOf('upload.ts', 'AdaptiveUploadOptions')),
  ]
  expect(rowsOf('| Option', '## `new AdaptiveUpload').sort()).toEqual(engine.sort())
  for (const group of ['Partitioning', 'Redundancy', 'Predictor']) {
    const documented = rowsOf(`| \`${group.toLowerCase()}.\``)
    expect(documented.sort()).toEqual((await membersOf(OPTIONS, `${group}Options`)).sort())
  }
})

test('the document has every option of the plugin, and no other', async () => {
  const plugin = await membersOf('uppy/adaptive-tus.ts', 'AdaptiveTusOptions')
  expect(rowsOf('| Option', '## `uppy.use').sort()).toEqual(plugin.sort())
})

test('the document has every code that an upload ends or goes on with, and no other', async () => {
  expect(rowsOf('| Code', '## Errors').sort()).toEqual((await codesOf('UploadErrorCode')).sort())
  expect(rowsOf('| Code', '## Warnings').sort()).toEqual((await codesOf('WarningCode')).sort())
})
