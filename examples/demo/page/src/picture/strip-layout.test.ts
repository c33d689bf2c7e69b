import type { LoggedEvent, UploadEvent } from 'uppy-adaptive/upload'
import { describe, expect, it } from 'vitest'
import { addEvent, EMPTY_PICTURE, type FilePicture } from './file-picture.js'
import { layoutStrip } from './strip-layout.js'

const of = (session: string, server: number) => ({ session, partition: 'p1', store: `store${server}`, server })
const begin = (
  session: string,
  server: number,
  range: [number, number],
  kind: 'first' | 'copy' = 'first',
): UploadEvent => ({
  ...of(session, server),
  ...{
    type: 'session',
    kind,
    start: range[0],
    end: range[1],
    reason: '',
    windowMs: 0,
    goodputBytesPerSecond: null,
    plannedMs: null,
  },
})

const grounds = {
  ...{ risk: 0.6, gapMs: 1 },
  known: {
    link: 0,
    server: 0.6,
    connection: 0,
    straggle: 0,
    late: 0,
    phi: 3,
    expectedMs: 4_000,
    alternatives: [],
    because: [],
    split: { link: 0, server: 0.6, connection: 0, straggle: 0, open: 0 },
    usualLogOdds: -3,
    blame: [],
  },
}

function paint(...events: UploadEvent[]): FilePicture {
  return [{ type: 'started', group: 'g', sizeBytes: 1000, resumed: false } as const, ...events]
    .map((event, index): LoggedEvent => ({ ...event, upload: 'u', n: index, at: index, elapsedMs: index }))
    .reduce(addEvent, EMPTY_PICTURE)
}

const shown = (picture: FilePicture) =>
  layoutStrip(picture, 100).pieces.map(({ x, width, server, tone, row }) => `${row} ${x}+${width} ${server} ${tone}`)

describe('the file as a strip', () => {
  it('is empty before anything is known', () => {
    expect(layoutStrip(EMPTY_PICTURE, 100)).toEqual({ pieces: [], marks: [] })
  })

  it('shows in flight, acknowledged and verified apart', () => {
    const picture = paint(
      begin('a', 1, [0, 500]),
      { ...of('a', 1), type: 'acked', offset: 300 },
      { type: 'verified', ranges: [{ start: 0, end: 200 }], via: 'event' },
    )
    expect(shown(picture)).toEqual(['main 30+20 1 inFlight', 'main 20+10 1 acked', 'main 0+20 1 verified'])
  })

  it('marks a split and gives the tail back', () => {
    const split = { ...of('a', 0), type: 'split', oldEnd: 1000, newEnd: 400, reason: '', ...grounds } as const
    const picture = paint(begin('a', 0, [0, 1000]), split)
    expect(shown(picture)).toEqual(['main 0+40 0 inFlight'])
    expect(layoutStrip(picture, 100).marks).toEqual([{ x: 40, kind: 'split' }])
  })

  it('keeps what a session sent that was taken over, and no more', () => {
    const range = { start: 200, end: 1000 }
    const takeOver = { ...of('a', 0), type: 'takeOver', range, reason: '', ...grounds } as const
    const picture = paint(begin('a', 0, [0, 1000]), { ...of('a', 0), type: 'acked', offset: 200 }, takeOver)
    expect(shown(picture)).toEqual(['main 0+20 0 acked'])
    expect(layoutStrip(picture, 100).marks).toEqual([{ x: 20, kind: 'takeOver' }])
  })

  it('has a row of its own for copies, and shows the winner in the file', () => {
    const picture = paint(
      begin('a', 1, [0, 1000]),
      begin('b', 2, [0, 1000], 'copy'),
      { type: 'verified', ranges: [{ start: 0, end: 1000 }], via: 'event' },
      { ...of('a', 1), type: 'superseded', via: 'client', by: 'b' },
      { ...of('b', 2), type: 'completed', start: 0, end: 1000, kind: 'copy' },
    )
    expect(shown(picture)).toEqual(['main 0+100 2 verified', 'copies 0+100 2 verified'])
  })

  it('shows blocks of an earlier visit as nobody’s', () => {
    const picture = paint({ type: 'verified', ranges: [{ start: 0, end: 100 }], via: 'status' })
    expect(shown(picture)).toEqual(['main 0+10 -1 verified'])
  })
})
