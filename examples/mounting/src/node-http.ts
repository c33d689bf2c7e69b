// Uploads on node:http: TOKEN=… [DIRECTORY=./uploads] [PORT=1080] [PEER=URL SECRET=…] node dist/node-http.js
import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'
import { Server } from '@tus/server'
import { RangeStore, reconcile } from 'tus-reconcile-server'

const { TOKEN, DIRECTORY = './uploads', PORT = '1080', PEER, SECRET } = process.env
if (!TOKEN) throw new Error('set TOKEN: what clients send as Authorization: Bearer <TOKEN>')

const uploads = new Server({
  path: '/api/files',
  datastore: new RangeStore({ directory: DIRECTORY }),
  // on every request but preflights: creations, bodies, operations, event streams, downloads. Your own check goes here
  onIncomingRequest: async (req) => {
    const digest = (text: string) => createHash('sha256').update(text).digest()
    if (timingSafeEqual(digest(req.headers.get('authorization') ?? ''), digest(`Bearer ${TOKEN}`))) return
    throw { status_code: 401, body: 'sign in first\n' }
  },
})
const extension = reconcile(uploads, { peers: PEER ? [PEER] : [], secrets: SECRET ? [SECRET] : [] })
await extension.ready

// Node ends any request after 300 s unless told not to; the extension ends bodies that bring nothing by itself
const http = createServer({ requestTimeout: 0 }, (req, res) => {
  if (/^\/api\/files(?=[/?]|$)/.test(req.url ?? '')) void uploads.handle(req, res)
  else res.writeHead(404).end()
})
http.listen(Number(PORT), () => console.log('uploads are taken at', http.address()))

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, async () => {
    await extension.drain() // bodies on their way end with their block: 503, acknowledged
    http.close()
    await extension.close()
    setTimeout(() => http.closeAllConnections(), 1000).unref() // who has not read the answer by then
  })
}
