import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { formatId, parseId } from 'tus-reconcile-protocol'
import { syncDirectory, syncFile } from './syncing.js'

/**
 * The random name of a store, made once and kept beside its bytes: two addresses that state it reach the same bytes.
 * Where it is to be durable no power cut takes it: with another name the store would be another.
 */
export async function loadStoreId(path: string, isDurable: boolean): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text !== undefined) return parsed(path, text)
  const id = formatId(randomBytes(16))
  await mkdir(dirname(path), { recursive: true })
  await writeFile(`${path}.tmp`, `${id}\n`)
  if (isDurable) await syncFile(`${path}.tmp`)
  await rename(`${path}.tmp`, path)
  // the folder may be as new as the file
  if (isDurable) for (const folder of [dirname(path), dirname(dirname(path))]) await syncDirectory(folder)
  return id
}

function parsed(path: string, text: string): string {
  try {
    return parseId(text.trim(), 'the Store-Id')
  } catch (cause) {
    const message = `${path} holds no Store-Id: write back the one that the log names as store. Without the file this is another store`
    throw new Error(message, { cause })
  }
}
