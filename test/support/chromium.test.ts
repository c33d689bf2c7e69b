import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findChromium } from './chromium.js'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chromium-test-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function writeProgram(name: string, says: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, `#!/bin/sh\necho '${says}'\n`)
  await chmod(path, 0o755)
  return path
}

describe.skipIf(process.platform === 'win32')('finding a Chromium', () => {
  it('takes CHROME_PATH before all others', async () => {
    const path = await writeProgram('mine', 'anything')
    await writeProgram('chromium', 'Chromium 1.2.3')
    const found = await findChromium({ env: { CHROME_PATH: path, PATH: folder } })
    expect(found).toMatchObject({ executablePath: path, origin: 'CHROME_PATH' })
  })

  it('says so when CHROME_PATH is no program', async () => {
    const path = join(folder, 'missing')
    await expect(findChromium({ env: { CHROME_PATH: path } })).rejects.toThrow(
      /CHROME_PATH.*missing.*correct it, or unset/,
    )
    await expect(findChromium({ env: { CHROME_PATH: folder } })).rejects.toThrow(/CHROME_PATH/)
  })

  it('takes an installed one that names its version, and passes a stand-in by', async () => {
    await writeProgram('google-chrome', 'command requires the snap to be installed')
    const path = await writeProgram('chromium', 'Chromium 1.2.3')
    const found = await findChromium({ env: { PATH: folder } })
    expect(found).toMatchObject({ executablePath: path, origin: 'installed' })
  })
})
