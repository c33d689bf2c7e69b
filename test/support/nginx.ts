import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { CERTIFICATE_FILE, type Certificate, KEY_FILE, makeCertificate, writeCertificate } from './certificate.js'
import { freePort } from './mounted-example.js'
import { addWitness } from './wire-census.js'
import { runsCertificate, wireProtocol } from './wire-protocol.js'

const run = promisify(execFile)

const ACCESS_LOG = 'access.log'

/** For the loud skip. */
export const NO_NGINX = 'no nginx here: install it (nginx-light will do)'

export interface Nginx {
  readonly port: number
  /** The certificate, PEM: what clients must trust. */
  readonly certificate: string
  readonly certificateFile: string
  /** Its answers until now. */
  answers(): Promise<NginxAnswer[]>
  close(): Promise<void>
}

export interface NginxAnswer {
  /** As it names it: HTTP/2.0. */
  readonly protocol: string
  readonly status: number
}

export interface NginxOptions {
  /** What stands in `http { }`, with the names of a documentation in it. */
  readonly configuration: string
  /** Where it keeps its files. */
  readonly directory: string
  /** The port of the upload server on this machine. */
  readonly upstreamPort: number
  /** Default: one of its own. */
  readonly certificate?: Certificate
}

/** An nginx before a server by which clients speak the run's protocol; `directives` stand beside its one location. */
export async function startWireNginx(
  o: Omit<NginxOptions, 'configuration' | 'certificate'> & { directives: string },
): Promise<Nginx & { readonly scheme: 'http' | 'https' }> {
  const isHttp2 = wireProtocol === 'h2'
  const configuration = `
server {
  listen 443${isHttp2 ? ' ssl http2' : ''};
  ${isHttp2 ? 'ssl_certificate up.pem; ssl_certificate_key up.key;' : ''}
  ${o.directives}
  location / {
    proxy_pass http://127.0.0.1:1080;
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-Proto $scheme;
  }
}`
  const certificate = isHttp2 ? { certificate: await runsCertificate() } : {}
  return { ...(await startNginx({ ...o, ...certificate, configuration })), scheme: isHttp2 ? 'https' : 'http' }
}

/** Whether nginx with TLS and HTTP/2 can be run. */
export async function hasNginx(): Promise<boolean> {
  try {
    const { stderr } = await run('nginx', ['-V'])
    return /http_ssl_module/.test(stderr) && /http_v2_module/.test(stderr)
  } catch {
    return false
  }
}

/** Runs nginx with a configuration in which only addresses and file names are replaced by real ones. */
export async function startNginx(options: NginxOptions): Promise<Nginx> {
  const { directory } = options
  await mkdir(directory, { recursive: true })
  const certificateFile = join(directory, CERTIFICATE_FILE)
  const keyFile = join(directory, KEY_FILE)
  const made = options.certificate ?? (await makeCertificate())
  await writeCertificate(directory, made)
  const port = await freePort()
  const real = options.configuration
    .replace(/^( *)listen 443\b/m, `$1listen 127.0.0.1:${port}`)
    .replaceAll('127.0.0.1:1080', `127.0.0.1:${options.upstreamPort}`)
    .replace(/ssl_certificate [^;]+;/, `ssl_certificate ${certificateFile};`)
    .replace(/ssl_certificate_key [^;]+;/, `ssl_certificate_key ${keyFile};`)
  const main = join(directory, 'nginx.conf')
  await writeFile(main, mainConfiguration(directory, real))
  const child = spawn('nginx', ['-c', main, '-e', join(directory, 'error.log')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (chunk) => {
    said += chunk
  })
  const exited = once(child, 'exit')
  const failed = exited.then(() => {
    throw new Error(`nginx ended: ${said}`)
  })
  failed.catch(() => {})
  await Promise.race([untilListening(port), failed])
  let answered: NginxAnswer[] = []
  const answers = async () => {
    answered = (await readFile(join(directory, ACCESS_LOG), 'utf8')).split('\n').slice(0, -1).map(readAnswer)
    return answered
  }
  addWitness(() => ({
    http2Requests: answered.filter(({ protocol }) => protocol === 'HTTP/2.0').length,
    http1BodyBytes: 0,
  }))
  return {
    port,
    certificateFile,
    certificate: made.certificate,
    answers,
    close: async () => {
      child.kill('SIGTERM')
      await exited
      await answers()
    },
  }
}

function readAnswer(line: string): NginxAnswer {
  const [protocol = '', status] = line.split(' ')
  return { protocol, status: Number(status) }
}

function mainConfiguration(directory: string, inner: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${join(directory, name)};`,
  )
  // as root, workers of another user could not enter a test's folder
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  return `${user}
daemon off;
worker_processes 1;
pid ${join(directory, 'nginx.pid')};
error_log ${join(directory, 'error.log')} warn;
events { worker_connections 1024; }
http {
log_format answer '$server_protocol $status';
access_log ${join(directory, ACCESS_LOG)} answer;
${temporary.join('\n')}
${inner}
}
`
}

async function untilListening(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      return
    } catch {
      await sleep(20)
    } finally {
      socket.destroy()
    }
  }
}
