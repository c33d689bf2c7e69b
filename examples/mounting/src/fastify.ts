// Uploads in Fastify 5: TOKEN=… [DIRECTORY=./uploads] [PORT=1080] [PEER=URL SECRET=…] node dist/fastify.js
import { createHash, timingSafeEqual } from 'node:crypto'
import { Server } from '@tus/server'
import { fastify } from 'fastify'
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

// Fastify sets no limit on the time of a request; Node alone would end it after 300 s
const app = fastify()
// a scope of its own, so that the other routes keep their body parsers
app.register(async (scope) => {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', (_request, _body, done) => done(null))
  for (const url of ['/api/files', '/api/files/*']) {
    scope.all(url, (request, reply) => uploads.handle(request.raw, reply.hijack().raw))
  }
})
app.post<{ Body: { title: string } }>('/api/albums', async (request) => ({ title: request.body.title }))
await app.listen({ port: Number(PORT), host: '0.0.0.0' })
console.log('uploads are taken at', app.server.address())

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, async () => {
    await extension.drain() // bodies on their way end with their block: 503, acknowledged
    await extension.close()
    setTimeout(() => app.server.closeAllConnections(), 1000).unref() // who has not read the answer by then
    await app.close()
  })
}
