import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CERTIFICATE_FILE, makeCertificate, writeCertificate } from '../support/certificate.js'

/** Before any worker starts: what Node trusts it reads once, when a process begins. */
export default async function setup(): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'e2e-certificate-'))
  await writeCertificate(folder, await makeCertificate())
  process.env.E2E_CERTIFICATE_FOLDER = folder
  process.env.NODE_EXTRA_CA_CERTS = join(folder, CERTIFICATE_FILE)
  return () => rm(folder, { recursive: true, force: true })
}
