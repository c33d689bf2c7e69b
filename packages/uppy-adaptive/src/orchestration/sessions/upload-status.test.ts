import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { UploadStatuses } from './upload-status.js'

function create() {
  const terminate = vi.fn<(uploadID: string, completedBy: string) => void>()
  return { statuses: new UploadStatuses(terminate), terminate }
}

test('an upload that is added is pending, and names its partition', () => {
  const { statuses } = create()
  statuses.addUpload('p1', 'u1')
  expect(statuses.uploads).toEqual([{ partitionID: 'p1', uploadID: 'u1', status: 'pending', checksum: undefined }])
  expect(statuses.get('u1')).toEqual(statuses.uploads[0])
  expect(statuses.get('u2')).toBeUndefined()
})

test('the first upload of a partition to be completed ends the others of that partition, and no other', () => {
  const { statuses, terminate } = create()
  for (const [partition, upload] of [
    ['p1', 'a'],
    ['p1', 'b'],
    ['p1', 'c'],
    ['p2', 'd'],
  ] as const)
    statuses.addUpload(partition, upload)
  statuses.setStatus('b', 'inProgress')
  statuses.markCompleted('b', 'leaf')
  expect(statuses.uploads.map(({ uploadID, status }) => [uploadID, status])).toEqual([
    ['a', 'superseded'],
    ['b', 'completed'],
    ['c', 'superseded'],
    ['d', 'pending'],
  ])
  expect(statuses.get('b')?.checksum).toBe('leaf')
  expect(terminate.mock.calls).toEqual([
    ['a', 'b'],
    ['c', 'b'],
  ])
})

test('an upload that failed before is not ended again', () => {
  const { statuses, terminate } = create()
  statuses.addUpload('p1', 'a')
  statuses.addUpload('p1', 'b')
  statuses.setStatus('a', 'failed')
  statuses.markCompleted('b', 'leaf')
  expect(statuses.get('a')?.status).toBe('failed')
  expect(terminate).not.toHaveBeenCalled()
})

test('nothing is redundant while no upload of the partition is completed', () => {
  const { statuses, terminate } = create()
  statuses.addUpload('p1', 'a')
  statuses.addUpload('p1', 'b')
  statuses.terminateRedundantUploads('p1')
  expect(terminate).not.toHaveBeenCalled()
  expect(statuses.uploads.every(({ status }) => status === 'pending')).toBe(true)
})

test('a copy that is added after the winner is ended when asked for', () => {
  const { statuses, terminate } = create()
  statuses.addUpload('p1', 'a')
  statuses.markCompleted('a', 'leaf')
  statuses.addUpload('p1', 'late')
  statuses.terminateRedundantUploads('p1')
  expect(statuses.get('late')?.status).toBe('superseded')
  expect(terminate.mock.calls).toEqual([['late', 'a']])
})

test.each(['completed', 'failed', 'superseded'] as const)('an upload that is %s stays so', (status) => {
  const { statuses, terminate } = create()
  statuses.addUpload('p1', 'a')
  statuses.addUpload('p1', 'b')
  statuses.setStatus('a', status)
  const ended = statuses.get('a')
  statuses.setStatus('a', 'inProgress')
  statuses.markCompleted('a', 'too late')
  expect(statuses.get('a')).toEqual(ended)
  expect(terminate).not.toHaveBeenCalled()
})

test('what is said of an unknown upload changes nothing', () => {
  const { statuses } = create()
  statuses.setStatus('x', 'inProgress')
  statuses.markCompleted('x', 'leaf')
  statuses.terminateRedundantUploads('p9')
  expect(statuses.uploads).toEqual([])
})

test('whatever happens, a partition has one winner at most, and each loser is ended once', () => {
  const upload = fc.nat({ max: 5 })
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('set' as const),
      upload,
      status: fc.constantFrom('inProgress' as const, 'failed' as const),
    }),
    fc.record({ kind: fc.constant('complete' as const), upload }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const { statuses, terminate } = create()
      for (let i = 0; i < 6; i++) statuses.addUpload(`p${i % 2}`, `u${i}`)
      for (const now of steps) {
        if (now.kind === 'set') statuses.setStatus(`u${now.upload}`, now.status)
        else statuses.markCompleted(`u${now.upload}`, 'leaf')
      }
      const ended = statuses.uploads.filter(({ status }) => status === 'superseded').map(({ uploadID }) => uploadID)
      expect(terminate.mock.calls.map(([uploadID]) => uploadID).sort()).toEqual(ended.sort())
      for (const partition of ['p0', 'p1']) {
        const own = statuses.uploads.filter(({ partitionID }) => partitionID === partition)
        const winners = own.filter(({ status }) => status === 'completed')
        expect(winners.length).toBeLessThanOrEqual(1)
        if (winners.length === 1)
          expect(own.every(({ status }) => status !== 'pending' && status !== 'inProgress')).toBe(true)
      }
    }),
  )
})

test('an upload that is added again keeps its terminal status', () => {
  const { statuses } = create()
  statuses.addUpload('p1', 'a')
  statuses.markCompleted('a', 'leaf')
  statuses.addUpload('p1', 'a')
  expect(statuses.get('a')?.status).toBe('completed')
})

test('the uploads of one partition are told apart from all the others', () => {
  const { statuses } = create()
  statuses.addUpload('p1', 'a')
  statuses.addUpload('p2', 'b')
  statuses.addUpload('p1', 'c')
  expect(statuses.ofPartition('p1').map(({ uploadID }) => uploadID)).toEqual(['a', 'c'])
  expect(statuses.ofPartition('p3')).toEqual([])
})
