import { expect, test } from 'vitest'
import { UploadStatuses } from './upload-status.js'

test('a completed upload ends the redundant ones of its partition, and no others', () => {
  const redundant = new Set(['copy', 'other'])
  const statuses = new UploadStatuses((id) => redundant.has(id))
  for (const id of ['winner', 'copy', 'longer']) statuses.addUpload('p7', id)
  statuses.addUpload('p8', 'other')
  expect(statuses.markCompleted('winner', 'sum')).toEqual(['copy'])
  expect(statuses.get('winner')).toEqual({
    partitionID: 'p7',
    uploadID: 'winner',
    status: 'completed',
    checksum: 'sum',
  })
  expect(statuses.get('copy')?.status).toBe('superseded')
  expect(statuses.get('longer')?.status).toBe('inProgress')
  expect(statuses.get('other')?.status).toBe('inProgress')
})

test('terminal states ignore what comes late', () => {
  const statuses = new UploadStatuses(() => true)
  statuses.addUpload('p', 'a')
  statuses.end('a', 'failed')
  expect(statuses.markCompleted('a', 'sum')).toEqual([])
  expect(statuses.get('a')?.status).toBe('failed')
})
