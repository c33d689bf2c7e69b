import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decideRemedy, type HedgeSurroundings, type Remedy, type SessionRisk } from './hedge-policy.js'

const BLOCK = 262_144
const MIB = 1024 * 1024

const HEALTHY: SessionRisk = {
  remainingBytes: 4 * MIB,
  server: 0.02,
  straggle: 0.03,
  connection: 0,
  phi: 0.1,
  gapMs: 100,
  ageMs: 5_000,
  expectedRemainingMs: 2_000,
  isCopy: false,
  hasCopy: false,
  hasOtherRoute: false,
  answersElsewhere: false,
  answeredForMs: 0,
  answerMs: 0,
  toldForMs: 60_000,
  storeIsSuspect: false,
  freshTries: 0,
}
/** Suspected to be dead, for a reason that is the server's. */
const SILENT: SessionRisk = {
  ...HEALTHY,
  server: 0.9,
  phi: 2.5,
  gapMs: 1_800,
  expectedRemainingMs: 60_000,
}
/** Its connection waits for TCP's next try after an outage; the store is not to blame. */
const BACKED_OFF: SessionRisk = { ...SILENT, server: 0.1, connection: 0.9, answeredForMs: 300 }
const SLOW: SessionRisk = { ...HEALTHY, straggle: 0.8, expectedRemainingMs: 20_000 }

/** Nothing is unsent, another store is free, and a copy may be had. */
const ENDGAME: HedgeSurroundings = {
  unassignedBytes: 0,
  linkIsGood: true,
  bestAlternativeMs: 3_000,
  linkRttMs: 100,
  sessionsInFlight: 1,
  copiesInFlight: 0,
  budgetBytes: 100 * MIB,
  copies: { threshold: 0.5, maxConcurrent: 2 },
}
const MIDST: HedgeSurroundings = { ...ENDGAME, unassignedBytes: 500 * MIB }

type Row = [situation: string, SessionRisk, HedgeSurroundings, Remedy['kind']]

test.each<Row>([
  ['a healthy session', HEALTHY, ENDGAME, 'none'],
  ['a healthy session with work to give', HEALTHY, MIDST, 'none'],
  ['one that looks slow while its connection starts', { ...SLOW, ageMs: 599 }, ENDGAME, 'none'],
  ['one that is slow when it has started', { ...SLOW, ageMs: 600 }, ENDGAME, 'split'],
  ['a slow one over a long path that it has just begun to fill', SLOW, { ...MIDST, linkRttMs: 900 }, 'none'],
  ['a slow one over a path of which no round trip is known', SLOW, { ...MIDST, linkRttMs: undefined }, 'split'],
  ['a silence however young the session', { ...SILENT, ageMs: 0 }, MIDST, 'takeOver'],
  ['a silent session that has nothing left to send', { ...SILENT, remainingBytes: 0 }, ENDGAME, 'none'],
  ['a slow session that has nothing left to send', { ...SLOW, remainingBytes: 0 }, ENDGAME, 'none'],
  ['a silence just under suspicion', { ...SILENT, phi: 1.99 }, MIDST, 'none'],
  ['a silence that is more likely the link', { ...SILENT, server: 0.49 }, MIDST, 'none'],
  ['a silence that only history blames on the server', { ...SILENT, server: 0.2 }, ENDGAME, 'none'],
  ['a connection that backs off after an outage', BACKED_OFF, MIDST, 'freshConnection'],
  ['the same before anything came back promptly', { ...BACKED_OFF, answeredForMs: 0 }, MIDST, 'none'],
  [
    'the same while answers take so long that the next packets of all may be on their way',
    { ...BACKED_OFF, answerMs: 21 },
    { ...MIDST, sessionsInFlight: 3 },
    'none',
  ],
  [
    'the same when they would have arrived',
    { ...BACKED_OFF, answerMs: 20 },
    { ...MIDST, sessionsInFlight: 3 },
    'freshConnection',
  ],
  ['a connection that backs off near the end', BACKED_OFF, ENDGAME, 'freshConnection'],
  ['the new connection in place of one that backed off', { ...BACKED_OFF, freshTries: 1 }, ENDGAME, 'none'],
  ['a backed-off connection that another route replaces', { ...BACKED_OFF, hasOtherRoute: true }, MIDST, 'otherRoute'],
  ['silent for longer than the outage explains', { ...BACKED_OFF, server: 0.95 }, MIDST, 'takeOver'],
  ['a silence at the very thresholds', { ...SILENT, phi: 2, server: 0.5 }, MIDST, 'takeOver'],
  ['silent, and another route reaches the store', { ...SILENT, hasOtherRoute: true }, MIDST, 'otherRoute'],
  [
    'silent, while its store answers elsewhere',
    { ...SILENT, phi: 4, answersElsewhere: true, answeredForMs: 1_750 },
    MIDST,
    'freshConnection',
  ],
  [
    'a connection that is silent while its server answers others all the time, whoever is to blame',
    { ...HEALTHY, phi: 2, answersElsewhere: true, answeredForMs: 1_750 },
    MIDST,
    'freshConnection',
  ],
  [
    'the same over a link that fades, through which answers come long before bodies',
    { ...HEALTHY, phi: 2, answersElsewhere: true, answeredForMs: 2_000 },
    ...([{ ...MIDST, linkIsGood: false }, 'none'] as const),
  ],
  [
    'a usual silence while its server answers others',
    { ...HEALTHY, phi: 1.9, answersElsewhere: true, answeredForMs: 5_000 },
    ...([MIDST, 'none'] as const),
  ],
  [
    'silent while its server answers others, but not for long',
    { ...HEALTHY, phi: 3, answersElsewhere: true, answeredForMs: 1_749 },
    ...([MIDST, 'none'] as const),
  ],
  [
    'silent on a slow link, where small answers take a part of what its next packets take',
    { ...SILENT, phi: 4, answersElsewhere: true, answeredForMs: 2_990, answerMs: 300 },
    ...([{ ...MIDST, sessionsInFlight: 2 }, 'none'] as const),
  ],
  [
    'silent on a slow link for longer than its next packets can take',
    { ...SILENT, phi: 4, answersElsewhere: true, answeredForMs: 3_000, answerMs: 300 },
    ...([{ ...MIDST, sessionsInFlight: 2 }, 'freshConnection'] as const),
  ],
  [
    'silent while its server answers, but for too short a time would anybody have told of its bytes',
    { ...SILENT, gapMs: 5_000, phi: 4, answersElsewhere: true, answeredForMs: 5_000, toldForMs: 749 },
    ...([MIDST, 'none'] as const),
  ],
  [
    'silent although its bytes would have been told of for a while',
    { ...SILENT, gapMs: 5_000, phi: 4, answersElsewhere: true, answeredForMs: 5_000, toldForMs: 750 },
    ...([MIDST, 'freshConnection'] as const),
  ],
  [
    'silent with its event stream, while its server answers nobody',
    { ...SILENT, toldForMs: 0 },
    ...([MIDST, 'takeOver'] as const),
  ],
  [
    'silent, while nothing but heartbeats comes from its store',
    { ...SILENT, phi: 4, answersElsewhere: true },
    MIDST,
    'none',
  ],
  ['silent not for long, while its store answers elsewhere', { ...SILENT, answersElsewhere: true }, MIDST, 'none'],
  [
    'silent as a slow one is, while its store answers elsewhere',
    { ...SLOW, ...SILENT, straggle: 0.8, expectedRemainingMs: 20_000, answersElsewhere: true },
    MIDST,
    'split',
  ],
  ['one of a suspect store, silent for a moment', { ...HEALTHY, storeIsSuspect: true, phi: 2 }, MIDST, 'takeOver'],
  [
    'one of a suspect store whose silence is its usual rhythm, however long',
    { ...HEALTHY, storeIsSuspect: true, phi: 1.9, gapMs: 5_000 },
    ...([MIDST, 'none'] as const),
  ],
  [
    'silent still, after a fresh connection',
    { ...SILENT, phi: 4, answersElsewhere: true, answeredForMs: 1_750, freshTries: 1 },
    MIDST,
    'takeOver',
  ],
  [
    'silent still after a fresh connection, with no other store',
    { ...SILENT, phi: 4, answersElsewhere: true, answeredForMs: 1_750, freshTries: 3 },
    { ...MIDST, bestAlternativeMs: undefined },
    'freshConnection',
  ],
  ['silent, with unsent bytes and another store', SILENT, MIDST, 'takeOver'],
  ['silent, and no other store is free', SILENT, { ...MIDST, bestAlternativeMs: undefined }, 'none'],
  ['silent, and no other store is free at the end', SILENT, { ...ENDGAME, bestAlternativeMs: undefined }, 'none'],
  ['silent with nothing unsent', SILENT, ENDGAME, 'copy'],
  ['silent, and copied already', { ...SILENT, hasCopy: true }, ENDGAME, 'none'],
  ['silent and copied, with unsent bytes', { ...SILENT, hasCopy: true }, MIDST, 'none'],
  ['a silent copy with nothing unsent', { ...SILENT, isCopy: true }, ENDGAME, 'none'],
  ['a copy that is silent for long', { ...SILENT, isCopy: true, phi: 3.5 }, ENDGAME, 'takeOver'],
  ['slow, with unsent bytes', SLOW, MIDST, 'split'],
  ['slow, with a tail worth moving', SLOW, ENDGAME, 'split'],
  ['slow in its last two blocks', { ...SLOW, remainingBytes: 2 * BLOCK }, ENDGAME, 'copy'],
  ['slow, but not yet a straggler', { ...SLOW, straggle: 0.49 }, MIDST, 'none'],
  ['a slow copy', { ...SLOW, isCopy: true }, MIDST, 'none'],
  ['slow, and copied already', { ...SLOW, hasCopy: true }, MIDST, 'none'],
  ['slow, and no other store is free', SLOW, { ...MIDST, bestAlternativeMs: undefined }, 'none'],
  ['slow, but not twice as slow as elsewhere', { ...SLOW, expectedRemainingMs: 5_999 }, MIDST, 'none'],
  ['slow, exactly twice as slow as elsewhere', { ...SLOW, expectedRemainingMs: 6_000 }, MIDST, 'split'],
])('%s', (_situation, session, around, kind) => {
  expect(decideRemedy(session, around).kind).toBe(kind)
})

const REFUSALS: [why: string, Partial<SessionRisk>, Partial<HedgeSurroundings>][] = [
  ['copies are off', {}, { copies: false }],
  ['the link itself is in doubt', {}, { linkIsGood: false }],
  ['2 copies are in flight', {}, { copiesInFlight: 2 }],
  ['the byte budget is spent', {}, { budgetBytes: 4 * MIB - 1 }],
]

test.each(REFUSALS)('no copy while %s: the session is left until it is given up', (why, session, around) => {
  const surroundings = { ...ENDGAME, ...around }
  expect(decideRemedy({ ...SILENT, ...session }, surroundings)).toMatchObject({
    kind: 'none',
    withheld: { code: expect.any(String), reason: why },
  })
  const givenUp = decideRemedy({ ...SILENT, ...session, phi: 3.5 }, surroundings)
  expect(givenUp.kind).toBe('takeOver')
  expect(givenUp).toMatchObject({ reason: expect.stringContaining(`no copy: ${why}`) })
})

test.each(REFUSALS)('no copy of a slow session while %s', (why, session, around) => {
  const slow = { ...SLOW, remainingBytes: BLOCK, ...session }
  const surroundings = { ...ENDGAME, ...around, ...('budgetBytes' in around ? { budgetBytes: BLOCK - 1 } : {}) }
  expect(decideRemedy(slow, ENDGAME).kind).toBe('copy')
  const left = decideRemedy(slow, surroundings)
  expect(left).toMatchObject({ kind: 'none', withheld: { code: expect.any(String), reason: why } })
})

test('a session in trouble that nobody else could take is left alone, and so is one that has a copy: only the first is worth a word', () => {
  const alone = { ...MIDST, bestAlternativeMs: undefined }
  const withheld = { code: 'noAlternative', reason: 'no other server could take it now' }
  expect(decideRemedy(SILENT, alone)).toEqual({ kind: 'none', withheld })
  expect(decideRemedy(SLOW, alone)).toEqual({ kind: 'none', withheld })
  expect(decideRemedy({ ...SILENT, hasCopy: true }, alone)).toEqual({ kind: 'none' })
  expect(decideRemedy(HEALTHY, alone)).toEqual({ kind: 'none' })
})

test('a copy starts when what it saves in the mean passes the threshold of what it saves and costs', () => {
  // it saves min(60 s, 2 x 1.8 s + 2 x 3 s) - 3 s = 6.6 s at 90 %, and costs 3 s at 10 %: worth 0.952
  const at = (threshold: number) => decideRemedy(SILENT, { ...ENDGAME, copies: { threshold, maxConcurrent: 2 } })
  expect(at(0.95)).toMatchObject({ kind: 'copy', gain: { pServer: 0.903, savedMs: 6_600, costMs: 3_000 } })
  expect(at(0.96)).toMatchObject({ kind: 'none', withheld: { code: 'gain', gain: { savedMs: 6_600 } } })
})

test('in the endgame who is neither silent nor slow enough for a remedy is copied once that pays; else nobody asks', () => {
  const doubtful = { ...HEALTHY, server: 0.45, straggle: 0.2, phi: 1.9, gapMs: 6_000, expectedRemainingMs: 40_000 }
  expect(decideRemedy(doubtful, ENDGAME)).toMatchObject({ kind: 'copy', reason: expect.stringContaining('in doubt') })
  expect(decideRemedy(doubtful, MIDST)).toEqual({ kind: 'none' })
  expect(decideRemedy({ ...doubtful, hasCopy: true }, ENDGAME)).toEqual({ kind: 'none' })
  expect(decideRemedy({ ...doubtful, gapMs: 100, server: 0.3 }, ENDGAME)).toMatchObject({ withheld: { code: 'gain' } })
  // silence that nothing but history blames on the server: the user's own link may be out
  expect(decideRemedy({ ...doubtful, server: 0.15, straggle: 0.1, gapMs: 60_000 }, ENDGAME)).toEqual({ kind: 'none' })
})

test('a session that is given up is copied even if that gains nothing: its bytes are sent again in any case', () => {
  expect(decideRemedy({ ...SILENT, expectedRemainingMs: 1, phi: 3.5 }, ENDGAME).kind).toBe('copy')
})

test('the least drastic remedy comes first: other route, fresh connection, take-over, copy', () => {
  const all = { ...SILENT, phi: 4, hasOtherRoute: true, answersElsewhere: true, answeredForMs: 1_750 }
  const order = [
    decideRemedy(all, MIDST),
    decideRemedy({ ...all, hasOtherRoute: false }, MIDST),
    decideRemedy({ ...all, hasOtherRoute: false, freshTries: 1 }, MIDST),
    decideRemedy({ ...all, hasOtherRoute: false, freshTries: 1 }, ENDGAME),
  ]
  expect(order.map(({ kind }) => kind)).toEqual(['otherRoute', 'freshConnection', 'takeOver', 'copy'])
})

const p = fc.double({ min: 0, max: 1, noNaN: true })
const anySession: fc.Arbitrary<SessionRisk> = fc.record({
  remainingBytes: fc.nat({ max: 100 * MIB }),
  server: p,
  straggle: p,
  connection: p,
  phi: fc.double({ min: 0, max: 50, noNaN: true }),
  gapMs: fc.nat(),
  ageMs: fc.nat({ max: 10_000 }),
  expectedRemainingMs: fc.oneof(fc.nat(), fc.constant(Number.POSITIVE_INFINITY)),
  isCopy: fc.boolean(),
  hasCopy: fc.boolean(),
  hasOtherRoute: fc.boolean(),
  answersElsewhere: fc.boolean(),
  answeredForMs: fc.nat({ max: 10_000 }),
  answerMs: fc.nat({ max: 1_000 }),
  toldForMs: fc.nat({ max: 10_000 }),
  storeIsSuspect: fc.boolean(),
  freshTries: fc.nat({ max: 2 }),
})
const anySurroundings: fc.Arbitrary<HedgeSurroundings> = fc.record({
  unassignedBytes: fc.oneof(fc.constant(0), fc.nat()),
  linkIsGood: fc.boolean(),
  bestAlternativeMs: fc.option(fc.nat({ max: 60_000 }), { nil: undefined }),
  linkRttMs: fc.option(fc.nat({ max: 2_000 }), { nil: undefined }),
  sessionsInFlight: fc.integer({ min: 1, max: 12 }),
  copiesInFlight: fc.nat({ max: 4 }),
  budgetBytes: fc.nat({ max: 200 * MIB }),
  copies: fc.oneof(fc.constant(false as const), fc.record({ threshold: p, maxConcurrent: fc.nat({ max: 4 }) })),
})

test('no copy starts in link-wide trouble, with redundancy off, of a copy, twice, or over the budget or limit', () => {
  fc.assert(
    fc.property(anySession, anySurroundings, (session, around) => {
      const remedy = decideRemedy(session, around)
      if (remedy.kind !== 'copy') return
      expect(around.linkIsGood && !session.isCopy && !session.hasCopy).toBe(true)
      expect(around.unassignedBytes).toBe(0)
      expect(around.copies).not.toBe(false)
      if (!around.copies) return
      expect(around.copiesInFlight).toBeLessThan(around.copies.maxConcurrent)
      expect(session.remainingBytes).toBeLessThanOrEqual(around.budgetBytes)
      if (session.phi >= 3.5) return
      expect(remedy.gain.savedMs).toBeGreaterThanOrEqual(500)
      expect(remedy.gain.worth).toBeGreaterThanOrEqual(around.copies.threshold)
    }),
    { numRuns: 5_000 },
  )
})

test('with redundancy off, every remedy but the copy stays', () => {
  fc.assert(
    fc.property(anySession, anySurroundings, (session, around) => {
      const on = decideRemedy(session, around)
      const off = decideRemedy(session, { ...around, copies: false })
      expect(off.kind).not.toBe('copy')
      if (on.kind === 'none') expect(off.kind).toBe('none')
      else if (on.kind !== 'copy' && on.kind !== 'takeOver') expect(off).toEqual(on)
    }),
    { numRuns: 2_000 },
  )
})

test('nothing moves to another store while there is none', () => {
  fc.assert(
    fc.property(anySession, anySurroundings, (session, around) => {
      const remedy = decideRemedy(session, { ...around, bestAlternativeMs: undefined })
      expect(['none', 'otherRoute', 'freshConnection']).toContain(remedy.kind)
    }),
  )
})

test('every remedy says why, with a time that is never absurd', () => {
  const forever = { ...SILENT, gapMs: Number.POSITIVE_INFINITY, expectedRemainingMs: Number.POSITIVE_INFINITY }
  expect(decideRemedy(SILENT, MIDST)).toEqual({ kind: 'takeOver', reason: 'silent 1.8 s while others move' })
  expect(decideRemedy(forever, MIDST)).toEqual({ kind: 'takeOver', reason: 'silent 3600.0 s while others move' })
  expect(decideRemedy(SLOW, MIDST)).toEqual({ kind: 'split', reason: 'slow: 20.0 s to go here, 3.0 s elsewhere' })
  fc.assert(
    fc.property(anySession, anySurroundings, (session, around) => {
      const remedy = decideRemedy(session, around)
      if (remedy.kind !== 'none') expect(remedy.reason).toMatch(/\d+\.\d s/)
    }),
  )
})
