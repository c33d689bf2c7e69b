import { createReadStream, type ReadStream } from 'node:fs'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { FreeSpace } from './free-space.js'
import { joinFiles } from './join-files.js'

test('parts that find no room are closed, and nothing is left of them', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'reconcile-join-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const path = join(directory, 'part')
  await writeFile(path, Buffer.alloc(300_000))
  const opened: ReadStream[] = []
  const part = () => {
    const stream = createReadStream(path)
    opened.push(stream)
    return stream
  }
  const space = new FreeSpace(async () => 0, 1)
  await space.look()
  const never = async () => expect.unreachable()
  const names = { temporary: join(directory, 'temporary'), target: join(directory, 'target') }
  const joining = { parts: [part, part], size: 600_000, ...names, record: never, finish: never }
  await expect(joinFiles(joining, { isDurable: false, space })).rejects.toMatchObject({ status_code: 507 })
  expect([opened.length, opened[0]?.destroyed, await readdir(directory)]).toEqual([1, true, ['part']])
})
