import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'

/** @tus/server with FileStore as a process of its own, to be killed. Arguments: its directory and port (0: any); prints the port. */
const [directory = '', port = '0'] = process.argv.slice(2)
const tus = new Server({ path: '/files', datastore: new FileStore({ directory }), respectForwardedHeaders: true })
const http = createServer((request, response) => void tus.handle(request, response))
http.listen(Number(port), '127.0.0.1', () => process.stdout.write(`${(http.address() as AddressInfo).port}\n`))
