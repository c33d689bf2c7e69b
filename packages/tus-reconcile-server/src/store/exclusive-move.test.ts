import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { isPlaceholder, renameOverPlaceholder } from './exclusive-move.js'

async function paths(): Promise<{ from: string; to: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'reconcile-move-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return { from: join(directory, 'from'), to: join(directory, 'to') }
}

test('without hard links a file takes the place of its placeholder, and nothing else', async () => {
  const { from, to } = await paths()
  await writeFile(from, 'bytes')
  await renameOverPlaceholder(from, to)
  expect(await readFile(to, 'utf8')).toBe('bytes')
  expect(await isPlaceholder(to)).toBe(false)
  await writeFile(from, 'other')
  await expect(renameOverPlaceholder(from, to)).rejects.toMatchObject({ code: 'EEXIST' })
  expect(await readFile(to, 'utf8')).toBe('bytes')
})

test('a move that fails leaves no placeholder', async () => {
  const { from, to } = await paths()
  await expect(renameOverPlaceholder(from, to)).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(readFile(to)).rejects.toMatchObject({ code: 'ENOENT' })
})

test.each(['', 'tus-reconcile-server: a file comes here\n', 'x'.repeat(77)])(
  'a file that holds %j is no placeholder',
  async (text) => {
    const { to } = await paths()
    await writeFile(to, text)
    expect(await isPlaceholder(to)).toBe(false)
  },
)
