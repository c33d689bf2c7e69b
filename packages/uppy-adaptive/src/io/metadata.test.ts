import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeMetadata } from './metadata.js'

/** As tus 1.0 says: pairs by commas, key and base64 value by a space, an empty value may be left out. */
function decode(header: string): Record<string, string> {
  if (header === '') return {}
  return Object.fromEntries(
    header.split(',').map((pair) => {
      const [key = '', value = '', ...rest] = pair.split(' ')
      expect(rest).toEqual([])
      return [key, Buffer.from(value, 'base64').toString('utf8')]
    }),
  )
}

const key = fc.stringMatching(/^[\x21-\x2b\x2d-\x7e]{1,12}$/).filter((name) => name !== '__proto__')
const value = fc.string({ unit: 'grapheme', maxLength: 40 })

test('any text arrives as it was, under any key that a header can carry', () => {
  fc.assert(
    fc.property(fc.dictionary(key, value, { maxKeys: 6 }), (metadata) => {
      const header = encodeMetadata(metadata)
      expect(header).toMatch(/^[\x20-\x7e]*$/)
      expect(decode(header)).toEqual({ ...metadata })
    }),
  )
})

test('it is the header that tus 1.0 shows', () => {
  expect(encodeMetadata({ filename: 'world_domination_plan.pdf', is_confidential: '' })).toBe(
    'filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==,is_confidential ',
  )
  expect(encodeMetadata({})).toBe('')
})

test('a number in place of a text is sent as its digits', () => {
  const metadata = { size: 17 } as unknown as Record<string, string>
  expect(decode(encodeMetadata(metadata))).toEqual({ size: '17' })
})

test.each(['', 'two words', 'a,b', 'naïve', 'line\nbreak', '\u0000', 'a\r\nX-Evil: 1'])(
  'the key %j is refused and quoted, so that no header is forged',
  (bad) => {
    expect(() => encodeMetadata({ fine: 'x', [bad]: 'y' })).toThrow(expect.objectContaining({ code: 'bad-option' }))
    expect(() => encodeMetadata({ [bad]: 'y' })).toThrow(JSON.stringify(bad))
  },
)
