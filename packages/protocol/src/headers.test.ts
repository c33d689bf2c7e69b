import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BLOCK_SIZE } from './digest.js'
import {
  formatId,
  formatLoad,
  formatPartitionHeader,
  formatUploadLimit,
  type PartitionHeader,
  parseId,
  parseLoad,
  parsePartitionHeader,
  parseUploadLimit,
} from './headers.js'
import { ProtocolError } from './protocol-error.js'

const id = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(formatId)
const blocks = fc.nat({ max: 1_000_000 })
const header: fc.Arbitrary<PartitionHeader> = fc
  .record({
    group: id,
    partition: fc.stringMatching(/^[A-Za-z0-9_-]{1,32}$/),
    session: id,
    attempt: fc.nat(),
    client: id,
    home: id,
    from: blocks,
    length: fc.option(blocks, { nil: undefined }),
    rest: fc.option(fc.nat({ max: 2 ** 40 }), { nil: undefined }),
    endsFile: fc.boolean(),
  })
  .map(({ from, length, rest, endsFile, ...names }) => {
    const start = from * BLOCK_SIZE
    const end = length === undefined ? undefined : start + length * BLOCK_SIZE
    if (rest === undefined) return { ...names, start, ...(end === undefined ? {} : { end }) }
    const size = (end ?? start) + rest
    return { ...names, start, size, ...(end === undefined ? {} : { end: endsFile ? size : end }) }
  })

const GOOD = {
  group: 'g23456789012345678901A',
  partition: 'p7',
  session: 's23456789012345678901A',
  attempt: 3,
  client: 'c23456789012345678901A',
  start: BLOCK_SIZE,
  end: 2 * BLOCK_SIZE,
  size: 3 * BLOCK_SIZE,
  home: 'h23456789012345678901A',
} as const

/** The header's text with some members as they are given here, undefined leaving one out. */
function text(changed: Record<string, string | undefined>): string {
  const members: Record<string, string | undefined> = Object.fromEntries(
    Object.entries(GOOD).map(([key, value]) => [key, typeof value === 'string' ? `"${value}"` : String(value)]),
  )
  return Object.entries({ ...members, ...changed })
    .flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]))
    .join(', ')
}

function refusal(header: string): ProtocolError {
  try {
    parsePartitionHeader(header)
  } catch (error) {
    if (error instanceof ProtocolError) return error
  }
  throw new Error(`not refused: ${header}`)
}

test('a partition header says the same after its way over the wire', () => {
  fc.assert(
    fc.property(header, (given) => {
      expect(parsePartitionHeader(formatPartitionHeader(given))).toEqual(given)
    }),
  )
})

test('it is written as an RFC 9651 dictionary, and members of later versions are left out', () => {
  expect(formatPartitionHeader({ ...GOOD })).toBe(text({}))
  expect(parsePartitionHeader(`${text({})}, colour="red";a=1, flag`)).toEqual(GOOD)
})

test('members may come in any order, and an absent attempt is 0', () => {
  const turned = text({ attempt: undefined }).split(', ').reverse().join(',')
  expect(parsePartitionHeader(turned)).toEqual({ ...GOOD, attempt: 0 })
})

test('the end may be open, and the size unknown', () => {
  const { end: _end, size: _size, ...open } = GOOD
  expect(parsePartitionHeader(text({ end: undefined, size: undefined }))).toEqual(open)
})

test.each(['group', 'session', 'client', 'home'])('a missing, short, long or foreign %s is refused by name', (name) => {
  for (const [given, quoted] of [
    [undefined, 'not nothing'],
    ['"short"', '"short"'],
    [`"${'x'.repeat(23)}"`, 'x'.repeat(23)],
    [`"${'x'.repeat(21)}/"`, `${'x'.repeat(21)}/`],
    ['17', '17'],
    ['?1', 'true'],
  ] as const) {
    const error = refusal(text({ [name]: given }))
    expect(error.code).toBe('bad-id')
    expect(error.message).toContain(name)
    expect(error.message).toContain(quoted)
  }
})

test.each([
  [{ start: undefined }, 'start'],
  [{ start: '17' }, 'start must be a multiple of 262144, not 17'],
  [{ start: '-262144' }, 'start is a whole number from 0, not -262144'],
  [{ start: '1.5' }, 'start is a whole number from 0, not 1.5'],
  [{ start: '"0"' }, 'start is a whole number from 0, not "0"'],
  [{ start: '(0 1)' }, 'start is a whole number from 0'],
  [{ end: '?0' }, 'end is a whole number from 0, not false'],
  [{ end: '0' }, 'end 0 lies before start 262144'],
  [{ end: '300000' }, "end must be a multiple of 262144 or the file's size, not 300000"],
  [{ end: '300000', size: undefined }, "end must be a multiple of 262144 or the file's size, not 300000"],
  [{ end: '1048576' }, 'the range 262144-1048576 lies outside a file of 786432 bytes'],
  [{ end: undefined, size: '1' }, 'the range 262144- lies outside a file of 1 bytes'],
  [{ size: '-1' }, 'size is a whole number from 0, not -1'],
  [{ attempt: '-1' }, 'attempt is a whole number from 0, not -1'],
  [{ attempt: '"3"' }, 'attempt is a whole number from 0, not "3"'],
  [{ partition: undefined }, 'partition is 1 to 32 of A-Z a-z 0-9 _ -, not nothing'],
  [{ partition: '""' }, 'partition is 1 to 32 of A-Z a-z 0-9 _ -, not ""'],
  [{ partition: '"../p7"' }, 'not "../p7"'],
  [{ partition: `"${'p'.repeat(33)}"` }, 'p'.repeat(33)],
  [{ partition: '7' }, 'not 7'],
])('the members %o are refused: %s', (changed, said) => {
  const error = refusal(text(changed))
  expect(error.code).toBe('bad-header')
  expect(error.message).toContain(said)
})

test('a text that is no dictionary is refused and quoted, shortened', () => {
  for (const bad of ['group="', 'Group=1', 'start=1,,end=2', 'a=1;', '\u0000', 'start=99999999999999999999']) {
    const error = refusal(bad)
    expect(error.code).toBe('bad-header')
    expect(error.message).toContain(JSON.stringify(bad))
  }
  expect(refusal(`group="${'x'.repeat(100_000)}`).message.length).toBeLessThan(200)
})

test('whatever text arrives, the answer is a header or a coded refusal', () => {
  const member = fc.constantFrom('group', 'partition', 'session', 'attempt', 'client', 'start', 'end', 'size', 'home')
  const value = fc.oneof(
    fc.constantFrom(
      '0',
      '-1',
      '262144',
      '1.0',
      '?1',
      'token',
      '@1',
      ':AAAA:',
      '(1 2)',
      '""',
      '%"x"',
      `"${'a'.repeat(22)}"`,
    ),
    fc.string({ maxLength: 30 }),
  )
  const damaged = fc.oneof(
    fc.string({ maxLength: 200 }),
    fc.dictionary(member, value, { maxKeys: 9 }).map((changed) => text(changed)),
  )
  fc.assert(
    fc.property(damaged, (given) => {
      try {
        const { start, end = start, size = end } = parsePartitionHeader(given)
        expect(start % BLOCK_SIZE === 0 && start <= end && end <= size).toBe(true)
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError)
      }
    }),
  )
})

test('an id is 128 bits in base64url without padding', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (random) => {
      const made = formatId(random)
      expect(made).toBe(Buffer.from(random).toString('base64url'))
      expect(parseId(made, 'an id')).toBe(made)
    }),
  )
})

test.each([[undefined], [null], [17], [''], ['a'.repeat(21)], ['a'.repeat(23)], [`${'a'.repeat(21)}\n`], [{}], [[]]])(
  '%o is no id, and the refusal names what was to be one',
  (given) => {
    expect(() => parseId(given, 'lastSession')).toThrow(expect.objectContaining({ code: 'bad-id' }))
    expect(() => parseId(given, 'lastSession')).toThrow(/^lastSession is 22 characters .* not /)
  },
)

test('an upload limit says the same after its way over the wire', () => {
  const size = fc.option(fc.integer({ min: 1, max: 2 ** 40 }), { nil: undefined })
  fc.assert(
    fc.property(size, size, size, (maxAppendSize, minAppendSize, maxSize) => {
      const limit = {
        ...(maxAppendSize === undefined ? {} : { maxAppendSize }),
        ...(minAppendSize === undefined ? {} : { minAppendSize }),
        ...(maxSize === undefined ? {} : { maxSize }),
      }
      expect(parseUploadLimit(formatUploadLimit(limit))).toEqual(limit)
    }),
  )
})

test('a limit that cannot be read, or that lets nothing through, is no limit', () => {
  for (const given of [
    undefined,
    null,
    '',
    'nonsense=',
    'max-append-size="1"',
    'max-append-size=-5',
    'max-append-size=0',
  ]) {
    expect(parseUploadLimit(given)).toEqual({})
  }
  expect(parseUploadLimit('max-age=60, max-size=7')).toEqual({ maxSize: 7 })
  fc.assert(
    fc.property(fc.string(), (given) => {
      expect(() => parseUploadLimit(given)).not.toThrow()
    }),
  )
})

test('a load is a decimal from 0 to 1 to three places; anything else says nothing', () => {
  expect([formatLoad(0), formatLoad(0.4242), formatLoad(1), formatLoad(7)]).toEqual([
    '0.000',
    '0.424',
    '1.000',
    '1.000',
  ])
  for (const text of [undefined, null, '', 'busy', '-0.1', '1.1', '"0.5"', '0.5, 0.6']) {
    expect(parseLoad(text)).toBeUndefined()
  }
  expect([parseLoad('1'), parseLoad('0.25;since=1')]).toEqual([1, 0.25])
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (load) => {
      expect(parseLoad(formatLoad(load))).toBeCloseTo(load, 3)
    }),
  )
})
