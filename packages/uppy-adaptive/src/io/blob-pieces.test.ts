import { openAsBlob } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readPieces } from './blob-pieces.js'

const MIB = 1024 * 1024

async function sizesOf(blob: Blob, pieceBytes: number): Promise<number[]> {
  const sizes: number[] = []
  for await (const { length } of readPieces(blob, pieceBytes)) sizes.push(length)
  return sizes
}

test('a blob is read in order, in pieces of one size but for the last, however its own parts are cut', async () => {
  const parts = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(parts, fc.integer({ min: 1, max: 50 }), async (bytes, pieceBytes) => {
      const read: number[] = []
      const sizes: number[] = []
      for await (const piece of readPieces(new Blob(bytes.map((part) => new Uint8Array(part))), pieceBytes)) {
        sizes.push(piece.length)
        read.push(...piece)
      }
      expect(read).toEqual(bytes.flatMap((part) => [...part]))
      expect(sizes.slice(0, -1).every((size) => size === pieceBytes)).toBe(true)
    }),
  )
})

test('other tasks have their turn at least every MiB', async () => {
  const blob = new Blob([new Uint8Array(8 * MIB)])
  let turns = 0
  const { port1, port2 } = new MessageChannel()
  port1.onmessage = () => {
    turns += 1
    port2.postMessage(null)
  }
  port2.postMessage(null)
  expect(await sizesOf(blob, MIB / 4)).toHaveLength(32)
  port1.close()
  expect(turns).toBeGreaterThanOrEqual(7)
})

test('whoever stops reading releases the blob, and one that was changed cannot be read', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'uppy-adaptive-pieces-'))
  const path = join(folder, 'file')
  await writeFile(path, new Uint8Array(3_000))
  const blob = await openAsBlob(path)
  for await (const { length } of readPieces(blob, 1_000)) {
    expect(length).toBe(1_000)
    break
  }
  await writeFile(path, new Uint8Array(10))
  await expect(sizesOf(blob, 1_000)).rejects.toThrow()
  await rm(folder, { recursive: true })
})
