import { expect, test } from 'vitest'
import type { FileState } from './file-state.js'
import { refuseChange } from './file-state.js'

const WAS: FileState = { sizeBytes: 7, modifiedAt: 1_000, mark: 'm' }

test('a file of another size or content is refused, with what has changed', () => {
  for (const isTrusting of [true, false]) {
    expect(() => refuseChange(WAS, { ...WAS, sizeBytes: 5 }, { isTrusting })).toThrow(
      expect.objectContaining({
        code: 'source-changed',
        message: expect.stringMatching(/5 bytes and had 7.*start again/),
      }),
    )
    expect(() => refuseChange(WAS, { ...WAS, mark: 'n' }, { isTrusting })).toThrow(/its content is another/)
    expect(() => refuseChange(WAS, WAS, { isTrusting })).not.toThrow()
  }
})

test('another time of change alone counts where nobody compares the bytes later', () => {
  const touched = { ...WAS, modifiedAt: 61_000 }
  expect(() => refuseChange(WAS, touched, { isTrusting: true })).toThrow(/changed 60 s later/)
  expect(() => refuseChange(WAS, touched, { isTrusting: false })).not.toThrow()
  expect(() => refuseChange(WAS, { sizeBytes: 7, mark: 'm' }, { isTrusting: true })).not.toThrow()
})
