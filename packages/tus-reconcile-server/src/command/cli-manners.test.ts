import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'

// the real command, as it is built
const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
let directory: string
let child: ChildProcess | undefined
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'reconcile-manners-'))
})
afterEach(async () => {
  child?.kill('SIGKILL')
  await rm(directory, { recursive: true, force: true })
})

interface Running {
  readonly process: ChildProcess
  /** What it has said so far, once that holds `text`. */
  readonly said: (text: string) => Promise<string>
}

function run(...args: string[]): Running {
  const started = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  child = started
  let all = ''
  for (const stream of [started.stdout, started.stderr]) {
    stream.on('data', (chunk) => {
      all += chunk
      started.emit('said')
    })
  }
  const said = async (text: string) => {
    while (!all.includes(text)) await once(started, 'said')
    return all
  }
  return { process: started, said }
}

test('SIGHUP without a secret file ends nothing', async () => {
  const { process: server, said } = run('--directory', directory, '--host', '127.0.0.1', '--port', '0')
  await said('takes uploads at')
  server.kill('SIGHUP')
  await said('nothing to read again')
  server.kill('SIGTERM')
  expect(await once(server, 'exit')).toEqual([0, null])
})

test('with --drain-delay a load balancer hears of the end before uploads are refused', async () => {
  const flags = ['--host', '127.0.0.1', '--port', '0', '--drain-delay', '10m']
  const { process: server, said } = run('--directory', directory, ...flags)
  const [url = ''] = /http:\/\/\S+/.exec(await said('takes uploads at')) ?? []
  server.kill('SIGTERM')
  await said('stopping')
  const health = await fetch(new URL('/healthz', url))
  expect([health.status, await health.json()]).toMatchObject([503, { state: 'draining' }])
  const headers = { 'Tus-Resumable': '1.0.0', 'Upload-Length': '5' }
  expect((await fetch(url, { method: 'POST', headers })).status).toBe(201)
})

test('when --drain-delay is over it stops in order', async () => {
  const flags = ['--host', '127.0.0.1', '--port', '0', '--drain-delay', '1']
  const { process: server, said } = run('--directory', directory, ...flags)
  await said('takes uploads at')
  const beganMs = performance.now()
  server.kill('SIGTERM')
  expect(await once(server, 'exit')).toEqual([0, null])
  expect(performance.now() - beganMs).toBeGreaterThan(990)
})

test('where nobody reads the log any more uploads go on', async () => {
  const { process: server, said } = run('--directory', directory, '--host', '127.0.0.1', '--port', '0', '--log', 'text')
  const [url = ''] = /http:\/\/\S+/.exec(await said('info ready')) ?? []
  server.stderr?.destroy()
  for (let i = 0; i < 3; i++) expect((await fetch(url, { method: 'OPTIONS' })).status).toBe(204)
  server.kill('SIGTERM')
  expect(await once(server, 'exit')).toEqual([0, null])
})

test('--version needs nothing else', async () => {
  const { process: asked, said } = run('--version')
  const exit = once(asked, 'exit')
  await said('0.')
  expect(await exit).toEqual([0, null])
})
