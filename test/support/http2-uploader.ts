import { AdaptiveUpload, UploadError } from 'uppy-adaptive/upload'
import { Http2Stack } from './http2-stack.js'

/** What examples/node does and says, by HTTP/2, as a process of its own. Arguments: FILE ENDPOINT [MIRROR…] */
const [path = '', endpoint = '', ...mirrors] = process.argv.slice(2)
const httpStack = new Http2Stack()
const upload = new AdaptiveUpload({ path }, { endpoint, mirrors, httpStack, journal: `${path}.upload.json` })
upload.on('event', (event) => {
  if (event.type === 'progress' && event.totalBytes !== null)
    process.stderr.write(`\r${((100 * event.ackedBytes) / event.totalBytes).toFixed(1)} %`)
})
try {
  const { url, stats } = await upload.start()
  console.log(`\n${url} after ${(stats.elapsedMs / 1000).toFixed(1)} s`)
} catch (error) {
  console.error(`\n${error instanceof UploadError ? `${error.code}: ${error.message}` : error}`)
  process.exitCode = 1
}
httpStack.close()
