import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once as emitted } from 'node:events'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AdaptiveUpload } from 'uppy-adaptive/upload'
import { expect, onTestFinished, test } from 'vitest'
import { createNodeClient, openWireLink } from '../support/wire-protocol.js'
import { expectStored, hasSent, MB, ofType, once, recorded, temporaryDirectory } from './plain-world.js'

const SERVER = fileURLToPath(new URL('../dist/plain-server-process.js', import.meta.url))

async function startServer(directory: string, port = 0): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(process.execPath, [SERVER, directory, `${port}`], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const [line] = await emitted(child.stdout as NodeJS.ReadableStream & NodeJS.EventEmitter, 'data')
  return { child, port: Number(String(line)) }
}

test('a plain server that is killed in the middle of an upload gets what it has not stored when it is back, and that alone', async () => {
  const directory = await temporaryDirectory()
  const { child, port } = await startServer(directory)
  const link = await openWireLink({ name: 'plain', target: { host: '127.0.0.1', port }, upBytesPerSecond: 4 * MB })
  onTestFinished(() => link.close())
  const client = createNodeClient()
  onTestFinished(() => client.close())
  const data = randomBytes(14 * MB)
  const upload = new AdaptiveUpload(data, { ...client.options, endpoint: `${link.origin}/files` })
  const events = recorded(upload)
  const exited = emitted(child, 'exit')
  const waited = new Promise<void>((resolve) => once(upload, ({ type }) => type === 'waiting', resolve))
  once(upload, hasSent(10 * MB), () => child.kill('SIGKILL'))
  const restarted = Promise.all([exited, waited]).then(async () => {
    const name = (await readdir(directory)).find((file) => !file.endsWith('.json')) ?? ''
    const { size } = await stat(join(directory, name))
    await startServer(directory, port)
    return size
  })
  const { url } = await upload.start()
  const storedBytes = await restarted
  await expectStored({ directory }, url, data)
  const [first, second] = ofType(events, 'session')
  expect([first?.start, second?.start]).toEqual([0, storedBytes])
  expect(storedBytes).toBeGreaterThan(0)
  expect(ofType(events, 'warning')).toEqual([])
})
