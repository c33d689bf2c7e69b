// Uploads a file from Node, without Uppy: node dist/upload.js FILE ENDPOINT [MIRROR…]
import { AdaptiveUpload, UploadError } from 'uppy-adaptive/upload'

const [path, endpoint, ...mirrors] = process.argv.slice(2)
if (path === undefined || endpoint === undefined) {
  console.error('usage: node dist/upload.js FILE ENDPOINT [MIRROR…]')
  process.exit(2)
}

const stop = new AbortController()
process.once('SIGINT', () => stop.abort())

try {
  const upload = new AdaptiveUpload(
    { path },
    { endpoint, mirrors, metadata: { filename: path }, journal: `${path}.upload.json` },
  )
  upload.on('event', (event) => {
    if (event.type === 'progress' && event.totalBytes !== null)
      process.stderr.write(`\r${((100 * event.ackedBytes) / event.totalBytes).toFixed(1)} %`)
    if (event.type === 'warning') process.stderr.write(`\n${event.message}\n`)
    if (event.type === 'copy' || event.type === 'takeOver' || event.type === 'split') {
      process.stderr.write(`\n${event.type} on server ${event.server}: ${event.reason}\n`)
    }
  })
  const { url, stats } = await upload.start({ signal: stop.signal })
  console.log(`\n${url} after ${(stats.elapsedMs / 1000).toFixed(1)} s`)
} catch (error) {
  // an upload that was stopped goes on where it was when the command is given again
  console.error(`\n${error instanceof UploadError ? `${error.code}: ${error.message}` : error}`)
  process.exitCode = 1
}
