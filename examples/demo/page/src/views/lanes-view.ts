import { colourOf, hatch, themeColour } from '../colours.js'
import type { DrawnSession, FilePicture, LaneMark } from '../picture/file-picture.js'
import { assignRows, tickSeconds } from '../picture/lane-layout.js'
import { beginDrawing, type Surface } from './canvas.js'
import { legendItem } from './strip-view.js'

const ROWS = 2
const ROW_PX = 15
const ROW_GAP = 2
const LANE_GAP = 9
const LANE_PX = ROWS * ROW_PX + (ROWS - 1) * ROW_GAP
const NAME_PX = 62
const AXIS_PX = 18
const LEAST_SPAN_MS = 10_000
const TICKS = 12

type Scale = { readonly xOf: (ms: number) => number; readonly spanMs: number; readonly nowMs: number }

/** One lane per server: its sessions over time, when it was suspect, and what was done about it. */
export function drawLanes(canvas: HTMLCanvasElement, picture: FilePicture, names: readonly string[]): void {
  const surface = beginDrawing(canvas, names.length * (LANE_PX + LANE_GAP) + AXIS_PX)
  if (!surface) return
  const spanMs = Math.max(LEAST_SPAN_MS, picture.elapsedMs * 1.02)
  const xOf = (ms: number): number => NAME_PX + ((surface.width - NAME_PX) * Math.min(ms, spanMs)) / spanMs
  const scale = { xOf, spanMs, nowMs: picture.elapsedMs }
  drawGround(surface, names, scale)
  for (const { server, fromMs, untilMs } of picture.troubles) {
    const x = xOf(fromMs)
    surface.pen.fillStyle = themeColour('trouble')
    surface.pen.fillRect(x, topOf(server) - 3, Math.max(2, xOf(untilMs ?? scale.nowMs) - x), LANE_PX + 6)
  }
  const sessions = [...picture.sessions.values()]
  const rows = assignRows(sessions, ROWS)
  for (const session of sessions) drawSession(surface, session, rows.get(session.id) ?? 0, scale)
  for (const mark of picture.laneMarks) drawMark(surface, mark, xOf(mark.atMs))
}

function topOf(server: number): number {
  return 4 + server * (LANE_PX + LANE_GAP)
}

function drawGround({ pen, width, height }: Surface, names: readonly string[], { xOf, spanMs }: Scale): void {
  pen.textAlign = 'left'
  for (const [server, name] of names.entries()) {
    pen.fillStyle = themeColour('lane')
    pen.fillRect(NAME_PX, topOf(server), width - NAME_PX, LANE_PX)
    pen.fillStyle = colourOf(server)
    pen.fillText(name, 0, topOf(server) + LANE_PX / 2 + 4)
  }
  pen.fillStyle = themeColour('muted')
  pen.textAlign = 'center'
  const step = tickSeconds(spanMs, TICKS)
  for (let at = 0; at * 1000 <= spanMs; at += step) {
    pen.fillText(`${at} s`, Math.min(xOf(at * 1000), width - 12), height - 4)
    pen.fillRect(xOf(at * 1000), height - AXIS_PX - 4, 1, 4)
  }
}

function drawSession({ pen }: Surface, session: DrawnSession, row: number, { xOf, nowMs }: Scale): void {
  const x = xOf(session.fromMs)
  const width = Math.max(2, xOf(session.untilMs ?? nowMs) - x - 1)
  const y = topOf(session.server) + row * (ROW_PX + ROW_GAP)
  const isLost = session.state === 'superseded' || session.state === 'failed' || session.state === 'takenOver'
  pen.fillStyle = session.kind === 'copy' ? hatch(pen, session.server) : colourOf(session.server, isLost ? 0.35 : 0.85)
  pen.fillRect(x, y, width, ROW_PX)
  if (session.kind === 'takeOver') {
    pen.fillStyle = themeColour('text')
    pen.fillRect(x, y + ROW_PX - 3, Math.min(width, 10), 3)
  }
  if (!isLost) return
  pen.fillStyle = themeColour(session.state === 'superseded' ? 'muted' : 'bad')
  pen.fillRect(x + width - 3, y, 3, ROW_PX)
}

/** A letter for each: every font has it. */
const MARKS = {
  split: { letter: 'S', colour: 'text', name: 'split' },
  takeOver: { letter: 'T', colour: 'bad', name: 'taken over' },
  copy: { letter: 'C', colour: 'warn', name: 'copied' },
  cut: { letter: 'X', colour: 'bad', name: 'broke' },
  reconnect: { letter: 'R', colour: 'warn', name: 'reconnected' },
} as const
const FLAG_PX = 11

function drawMark({ pen }: Surface, { server, kind }: LaneMark, x: number): void {
  const { letter, colour } = MARKS[kind]
  const top = topOf(server) - 4
  pen.fillStyle = themeColour(colour)
  pen.fillRect(x - 0.75, top, 1.5, LANE_PX + 8)
  pen.fillRect(x - 0.75, top, FLAG_PX, FLAG_PX)
  pen.fillStyle = themeColour('card')
  pen.textAlign = 'center'
  pen.font = 'bold 9px system-ui, sans-serif'
  pen.fillText(letter, x - 0.75 + FLAG_PX / 2, top + FLAG_PX - 2.5)
}

/** What the lanes' colours and flags mean, as HTML elements. */
export function lanesLegend(): HTMLElement[] {
  const flags = Object.values(MARKS).map(({ letter, name }) => {
    const item = document.createElement('span')
    const flag = document.createElement('b')
    flag.textContent = letter
    item.append(flag, name)
    return item
  })
  return [
    legendItem('server suspect', 'var(--trouble)'),
    ...flags,
    legendItem('ended: superseded', 'var(--muted)'),
    legendItem('ended: failed or moved', 'var(--bad)'),
  ]
}
