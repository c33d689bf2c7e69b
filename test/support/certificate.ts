import { createHash, X509Certificate } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generate } from 'selfsigned'

/** A certificate that signs itself, for 127.0.0.1 and localhost; both as PEM. */
export interface Certificate {
  readonly certificate: string
  readonly privateKey: string
}

/** Where a folder has the certificate: what NODE_EXTRA_CA_CERTS may name. */
export const CERTIFICATE_FILE = 'certificate.pem'
/** Where a folder has its key. */
export const KEY_FILE = 'key.pem'

const LIFE_MS = 2 * 86_400_000
/** The kinds of name that a certificate can be for (RFC 5280, GeneralName). */
const DNS_NAME = 2
const IP_ADDRESS = 7

/** Makes a certificate with a key of its own, in this process: no tool is needed. It is good for two days. */
export async function makeCertificate(): Promise<Certificate> {
  const made = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notAfterDate: new Date(Date.now() + LIFE_MS),
    extensions: [
      // its own authority: Node trusts what NODE_EXTRA_CA_CERTS or `ca` names only as one
      { name: 'basicConstraints', cA: true, critical: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: IP_ADDRESS, ip: '127.0.0.1' },
          { type: DNS_NAME, value: 'localhost' },
        ],
      },
    ],
  })
  return { certificate: made.cert, privateKey: made.private }
}

/** Writes both parts into a folder, for other processes. */
export async function writeCertificate(folder: string, { certificate, privateKey }: Certificate): Promise<void> {
  await writeFile(join(folder, KEY_FILE), privateKey, { mode: 0o600 })
  await writeFile(join(folder, CERTIFICATE_FILE), certificate)
}

export async function readCertificate(folder: string): Promise<Certificate> {
  const [certificate, privateKey] = await Promise.all(
    [CERTIFICATE_FILE, KEY_FILE].map((name) => readFile(join(folder, name), 'utf8')),
  )
  if (certificate === undefined || privateKey === undefined) throw new Error(`no certificate in ${folder}`)
  return { certificate, privateKey }
}

/** Makes Chromium take the certificate for a valid one: caches and connections are as in production then. */
export function chromiumTrustFlag({ certificate }: Pick<Certificate, 'certificate'>): string {
  const key = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' })
  return `--ignore-certificate-errors-spki-list=${createHash('sha256').update(key).digest('base64')}`
}
