import { readdir, readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'

const ROOT = new URL('../../', import.meta.url)

async function testFiles(): Promise<URL[]> {
  const files: URL[] = []
  for (const folder of ['test/', 'packages/']) {
    const names = await readdir(new URL(folder, ROOT), { recursive: true })
    const tests = names.filter((name) => name.endsWith('.test.ts') && !/node_modules|dist/.test(name))
    files.push(...tests.map((name) => new URL(`${folder}${name}`, ROOT)))
  }
  return files
}

/** The rules that the titles of tests begin with: `P7: …`, `P7, P8: …`, of groups of tests, or `rule(7, '…', …)`. */
function quotedIn(source: string): number[] {
  const titles = [...source.matchAll(/\b(?:test|describe|test\.each\([^)]*\))\(\s*['"`]((?:P\d+(?:, )?)+):/g)]
  const numbers = titles.flatMap(([, list]) => [...(list ?? '').matchAll(/\d+/g)].map(([number]) => Number(number)))
  return [...numbers, ...[...source.matchAll(/\brule\(\s*(\d+),/g)].map(([, number]) => Number(number))]
}

test('every rule of docs/protocol.md is quoted by a test, and no test quotes a rule that is not there', async () => {
  const document = await readFile(new URL('docs/protocol.md', ROOT), 'utf8')
  const rules = [...document.matchAll(/^- \*\*P(\d+)\*\*/gm)].map(([, number]) => Number(number))
  expect(new Set(rules).size).toBe(rules.length)
  const sources = await Promise.all((await testFiles()).map((file) => readFile(file, 'utf8')))
  const quoted = new Set(sources.flatMap(quotedIn))
  expect(rules.filter((number) => !quoted.has(number))).toEqual([])
  expect([...quoted].filter((number) => !rules.includes(number))).toEqual([])
})
