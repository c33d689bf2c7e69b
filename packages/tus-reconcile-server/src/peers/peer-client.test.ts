import { createServer } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { newId } from '../testing/client.js'
import { freePort } from '../testing/server.js'
import { PeerClient } from './peer-client.js'
import { signingSecret } from './signature.js'

test('without a secret nothing is sent, and the error says what to do', async () => {
  let requests = 0
  const port = await freePort()
  const server = createServer((_req, res) => {
    requests++
    res.end()
  }).listen(port, '127.0.0.1')
  onTestFinished(() => void server.close())
  const endpoint = `http://127.0.0.1:${port}/files`
  const client = new PeerClient({ endpoint, internalEndpoint: endpoint, secret: () => signingSecret([]) })
  onTestFinished(() => client.close())
  const sent = client.greet(newId(), { idleMs: 1000 })
  await expect(sent).rejects.toMatchObject({ code: 'no-secret', message: expect.stringContaining('`secrets`') })
  expect(requests).toBe(0)
})
