import { randomFillSync } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BlockFile } from '../groups/block-file.js'
import type { RangeBackend, RangeFile } from '../store/range-backend.js'

const B = BLOCK_SIZE
const randomBytes = (length: number): Buffer => randomFillSync(Buffer.alloc(length))

/** What every RangeBackend does. `open` is asked once per test, with a directory that the backend may use. */
export function backendConforms(name: string, open: (directory: string) => RangeBackend): void {
  describe(name, () => {
    let directory: string
    let target: string
    let backend: RangeBackend
    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), 'reconcile-backend-'))
      target = join(directory, 'whole')
      backend = open(join(directory, 'groups'))
    })
    afterEach(async () => {
      for (const file of opened.splice(0)) await file.idle()
      await rm(directory, { recursive: true, force: true })
    })
    const opened: BlockFile[] = []
    const openFile = (name: string): RangeFile => {
      const file = backend.open(name)
      opened.push(file)
      return file
    }

    test('bytes are read where they were written, whatever the order, and holes are zeros', async () => {
      const piece = fc.record({ at: fc.nat(3000), bytes: fc.uint8Array({ minLength: 1, maxLength: 500 }) })
      let files = 0
      await fc.assert(
        fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
          const file = openFile(`f${files++}`)
          const expected = Buffer.alloc(Math.max(0, ...pieces.map(({ at, bytes }) => at + bytes.length)))
          for (const { at, bytes } of pieces) {
            await file.write(at, bytes)
            expected.set(bytes, at)
          }
          expect(Buffer.from(await file.read(0, 4000))).toEqual(expected)
          await file.remove()
        }),
        { numRuns: 25 },
      )
    })

    test('writes at one time to different blocks all arrive', async () => {
      const file = openFile('a')
      const blocks = Array.from({ length: 16 }, () => randomBytes(B))
      await Promise.all(blocks.map((bytes, i) => file.write((15 - i) * B, bytes)))
      for (const [i, bytes] of blocks.entries()) {
        expect(Buffer.from(await file.read((15 - i) * B, B)).equals(bytes)).toBe(true)
      }
    })

    test('a block is copied to another place by reading and writing it', async () => {
      const [side, file] = [backend.openSide('a'), openFile('a')]
      opened.push(side)
      const bytes = randomBytes(B)
      await side.write(3 * B, bytes)
      await file.write(7 * B, await side.read(3 * B, B))
      expect(Buffer.from(await file.read(7 * B, B)).equals(bytes)).toBe(true)
      expect(Buffer.from(await file.read(6 * B, 4))).toEqual(Buffer.alloc(4))
    })

    test('a read beyond the end is short, one of nothing is empty', async () => {
      const file = openFile('a')
      expect((await file.read(0, 10)).length).toBe(0)
      await file.write(0, Buffer.from('12345'))
      expect(Buffer.from(await file.read(3, 10)).toString()).toBe('45')
    })

    test('what was written is there after idle, after sync, and under the same name again', async () => {
      const file = openFile('a')
      await file.write(0, Buffer.from('first'))
      await file.idle()
      await file.write(5, Buffer.from('second'))
      await Promise.all([file.sync(), file.write(11, Buffer.from('!')), file.sync(), file.idle()])
      await file.sync()
      await file.idle()
      expect(Buffer.from(await openFile('a').read(0, 20)).toString()).toBe('firstsecond!')
    })

    test('a sync of nothing settles', async () => {
      await openFile('a').sync()
    })

    test('finalise makes the file of exactly that size, and leaves nothing behind', async () => {
      const file = openFile('a')
      await file.write(4, Buffer.from('ab'))
      await file.finalise(target, 8, { isDurable: true })
      expect(await readFile(target)).toEqual(Buffer.from('\0\0\0\0ab\0\0'))
      expect((await openFile('a').read(0, 8)).length).toBe(0)
      await openFile('b').write(0, Buffer.from('too long'))
      await openFile('b').finalise(join(directory, 'b'), 3)
      expect(await readFile(join(directory, 'b'), 'utf8')).toBe('too')
    })

    test('finalise overwrites nothing, not even as a repeat while the data is there', async () => {
      const file = openFile('a')
      await file.write(0, Buffer.from('new'))
      await writeFile(target, 'old')
      await expect(file.finalise(target, 3)).rejects.toMatchObject({ code: 'EEXIST' })
      await expect(file.finalise(target, 3, { isRepeat: true })).rejects.toMatchObject({ code: 'EEXIST' })
      expect(await readFile(target, 'utf8')).toBe('old')
      expect(Buffer.from(await file.read(0, 3)).toString()).toBe('new')
    })

    test('of two that make a file of one name at the same moment one gets it, and neither loses a byte', async () => {
      for (let round = 0; round < 50; round++) {
        const contested = join(directory, `f${round}`)
        const file = openFile(`f${round}`)
        await file.write(0, Buffer.from('partitions'))
        const [commit, plain] = await Promise.allSettled([
          file.finalise(contested, 10),
          writeFile(contested, 'plain', { flag: 'wx' }),
        ])
        expect([commit.status, plain.status].sort()).toEqual(['fulfilled', 'rejected'])
        expect(await readFile(contested, 'utf8')).toBe(commit.status === 'fulfilled' ? 'partitions' : 'plain')
        if (commit.status === 'rejected') expect(Buffer.from(await file.read(0, 10)).toString()).toBe('partitions')
      }
    })

    test('finalise again after the data has gone is a repeat of the same commit only', async () => {
      const file = openFile('a')
      await file.write(0, Buffer.from('new'))
      await file.finalise(target, 3)
      await expect(file.finalise(target, 3)).rejects.toMatchObject({ code: 'EEXIST' })
      await file.finalise(target, 3, { isRepeat: true })
      expect(await readFile(target, 'utf8')).toBe('new')
    })

    test('finalise makes no data up: bytes that are gone are ENOENT, an empty file is empty', async () => {
      expect((await openFile('a').read(0, 3)).length).toBe(0)
      await expect(openFile('a').finalise(target, 3)).rejects.toMatchObject({ code: 'ENOENT' })
      expect(await readdir(directory)).not.toContain('whole')
      await openFile('b').finalise(target, 0)
      expect(await readFile(target, 'utf8')).toBe('')
    })

    test('finalise waits for a write that is under way', async () => {
      const file = openFile('a')
      const bytes = randomBytes(32 * B)
      const writing = file.write(0, bytes)
      const finalising = file.finalise(target, bytes.length)
      await Promise.all([writing, finalising])
      expect((await readFile(target)).equals(bytes)).toBe(true)
    })

    test('remove in the middle of a write leaves nothing, and the name begins anew', async () => {
      const file = openFile('a')
      await file.write(100, Buffer.from('old'))
      const writing = file.write(0, randomBytes(32 * B))
      const removing = file.remove()
      const anew = file.write(0, Buffer.from('new'))
      await Promise.all([writing, removing, anew])
      expect(Buffer.from(await openFile('a').read(0, 200)).toString()).toBe('new')
      await file.remove()
      await file.remove()
    })

    test('what is stored is told by name, length and time, without what lies aside', async () => {
      expect(await backend.stored()).toEqual(new Map())
      const before = Date.now()
      await openFile('a').write(2 * B, Buffer.from('end'))
      await openFile('b').write(0, Buffer.from('begin'))
      const side = backend.openSide('c')
      opened.push(side)
      await side.write(0, Buffer.from('side'))
      const stored = await backend.stored()
      expect(Array.from(stored, ([name, { length }]) => [name, length]).sort()).toEqual([
        ['a', 2 * B + 3],
        ['b', 5],
      ])
      // clocks of file systems tick coarsely
      expect(Math.abs((stored.get('a')?.changedAt ?? 0) - before)).toBeLessThan(60_000)
      await openFile('a').remove()
      expect([...(await backend.stored()).keys()]).toEqual(['b'])
    })

    test('side bytes are apart from the file of the same name, and swept', async () => {
      await openFile('a').write(0, Buffer.from('mine'))
      const side = backend.openSide('a')
      await side.write(0, Buffer.from('side'))
      await side.idle()
      expect(Buffer.from(await openFile('a').read(0, 4)).toString()).toBe('mine')
      await backend.sweepSides()
      expect((await side.read(0, 4)).length).toBe(0)
      opened.push(side)
      expect(Buffer.from(await openFile('a').read(0, 4)).toString()).toBe('mine')
    })

    test('how much is free is a number of bytes', async () => {
      expect(await backend.freeBytes()).toBeGreaterThan(0)
    })
  })
}
