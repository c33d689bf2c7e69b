import type { ByteRange, RangeSet } from 'tus-reconcile-protocol'
import { intersectRanges, subtractRanges, toRangeSet } from 'tus-reconcile-protocol'
import type { DrawnSession, FileMark, FilePicture } from './file-picture.js'
import { rangesOf } from './file-picture.js'

/** A piece of the strip. Pixels from the left. */
export interface StripPiece {
  readonly x: number
  readonly width: number
  /** -1: held from an earlier visit, by nobody in sight. */
  readonly server: number
  readonly tone: 'inFlight' | 'acked' | 'verified'
  readonly row: 'main' | 'copies'
}

export interface StripMark {
  readonly x: number
  readonly kind: FileMark['kind']
}

export interface StripLayout {
  readonly pieces: readonly StripPiece[]
  readonly marks: readonly StripMark[]
}

const NOBODY = -1

/** Lays the picture of a file out on `widthPx` pixels. Later sessions lie on earlier ones; copies have their own row. */
export function layoutStrip(picture: FilePicture, widthPx: number): StripLayout {
  const { sizeBytes, verified } = picture
  if (sizeBytes === 0) return { pieces: [], marks: [] }
  const scale = widthPx / sizeBytes
  const sessions = [...picture.sessions.values()]
  const own = sessions.filter((session) => session.kind !== 'copy')
  const pieces = [
    ...nobodys(verified, sessions, scale),
    ...own.flatMap((session) => piecesOf(session, { verified, scale, row: 'main' })),
    ...sessions
      .filter((session) => session.kind === 'copy')
      .flatMap((session) => [
        ...wonBy(session, { verified, scale }),
        ...piecesOf(session, { verified, scale, row: 'copies' }),
      ]),
  ]
  return { pieces, marks: picture.fileMarks.map(({ at, kind }) => ({ x: at * scale, kind })) }
}

type Ground = { readonly verified: RangeSet; readonly scale: number; readonly row: StripPiece['row'] }

function piecesOf(session: DrawnSession, { verified, scale, row }: Ground): StripPiece[] {
  const { acked, planned } = rangesOf(session)
  const solid = intersectRanges(toRangeSet([acked]), verified)
  const middle = subtractRanges(toRangeSet([acked]), verified)
  const { server } = session
  return [
    ...toRangeSet([planned]).map((range) => piece(range, scale, { server, tone: 'inFlight', row })),
    ...middle.map((range) => piece(range, scale, { server, tone: 'acked', row })),
    ...solid.map((range) => piece(range, scale, { server, tone: 'verified', row })),
  ]
}

/** What a copy brought, when it won, is the file's: shown in the main row as well. */
function wonBy(session: DrawnSession, { verified, scale }: Omit<Ground, 'row'>): StripPiece[] {
  if (session.state !== 'completed') return []
  const won = intersectRanges(toRangeSet([rangesOf(session).acked]), verified)
  return won.map((range) => piece(range, scale, { server: session.server, tone: 'verified', row: 'main' }))
}

function nobodys(verified: RangeSet, sessions: readonly DrawnSession[], scale: number): StripPiece[] {
  const known = toRangeSet(sessions.map((session) => rangesOf(session).acked))
  return subtractRanges(verified, known).map((range) =>
    piece(range, scale, { server: NOBODY, tone: 'verified', row: 'main' }),
  )
}

function piece(range: ByteRange, scale: number, look: Omit<StripPiece, 'x' | 'width'>): StripPiece {
  return { x: range.start * scale, width: (range.end - range.start) * scale, ...look }
}
