import { colourOf, hatch, themeColour } from '../colours.js'
import { mib } from '../picture/decision-rows.js'
import type { FilePicture } from '../picture/file-picture.js'
import { layoutStrip, type StripMark, type StripPiece } from '../picture/strip-layout.js'
import { beginDrawing, type Surface } from './canvas.js'

const MARKS = { top: 0, height: 12 }
const MAIN = { top: 14, height: 40 }
const COPIES = { top: 57, height: 14 }
const AXIS_TOP = 86
const HEIGHT = 92
const ALPHA = { inFlight: 0.22, acked: 0.6, verified: 1 } as const
/** Fewer cannot be seen. */
const LEAST_PX = 1

/** The file from its first byte to its last. */
export function drawStrip(canvas: HTMLCanvasElement, picture: FilePicture): void {
  const surface = beginDrawing(canvas, HEIGHT)
  if (!surface) return
  const { pen, width } = surface
  pen.fillStyle = themeColour('unsent')
  pen.fillRect(0, MAIN.top, width, MAIN.height)
  const layout = layoutStrip(picture, width)
  for (const piece of layout.pieces) drawPiece(surface, piece)
  for (const mark of layout.marks) drawMark(surface, mark)
  drawAxis(surface, picture.sizeBytes)
}

function drawPiece({ pen }: Surface, { x, width, server, tone, row }: StripPiece): void {
  const place = row === 'main' ? MAIN : COPIES
  pen.fillStyle = row === 'copies' ? hatch(pen, server) : colourOf(server, ALPHA[tone])
  pen.globalAlpha = row === 'copies' && tone === 'inFlight' ? 0.5 : 1
  const shown = Math.max(width, LEAST_PX)
  pen.clearRect(x, place.top, shown, place.height)
  if (row === 'main') drawGround(pen, x, shown)
  pen.fillStyle = row === 'copies' ? hatch(pen, server) : colourOf(server, ALPHA[tone])
  pen.fillRect(x, place.top, shown, place.height)
  pen.globalAlpha = 1
}

function drawGround(pen: CanvasRenderingContext2D, x: number, width: number): void {
  pen.fillStyle = themeColour('unsent')
  pen.fillRect(x, MAIN.top, width, MAIN.height)
}

function drawMark({ pen }: Surface, { x, kind }: StripMark): void {
  pen.strokeStyle = themeColour(kind === 'split' ? 'text' : 'bad')
  pen.fillStyle = pen.strokeStyle
  pen.lineWidth = 1
  pen.beginPath()
  pen.moveTo(x, MARKS.top + 4)
  pen.lineTo(x, MAIN.top + MAIN.height)
  pen.stroke()
  pen.beginPath()
  if (kind === 'split') {
    pen.moveTo(x - 4, MARKS.top + 3)
    pen.lineTo(x + 4, MARKS.top + 3)
    pen.lineTo(x, MARKS.top + 10)
  } else pen.arc(x, MARKS.top + 6, 4, 0, 2 * Math.PI)
  pen.fill()
}

function drawAxis({ pen, width }: Surface, sizeBytes: number): void {
  if (sizeBytes === 0) return
  pen.fillStyle = themeColour('muted')
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    pen.textAlign = share === 0 ? 'left' : share === 1 ? 'right' : 'center'
    pen.fillText(mib(sizeBytes * share), share * width, AXIS_TOP)
  }
}

/** What the strip's colours mean, as HTML elements. */
export function stripLegend(names: readonly string[]): HTMLElement[] {
  const servers = names.map((name, server) => legendItem(name, colourOf(server)))
  return [
    ...servers,
    legendItem('in flight', colourOf(0, ALPHA.inFlight)),
    legendItem('acknowledged', colourOf(0, ALPHA.acked)),
    legendItem('verified', colourOf(0)),
    legendItem('split', 'var(--text)', 'triangle'),
    legendItem('take-over', 'var(--bad)', 'disc'),
    legendItem('copy', `repeating-linear-gradient(135deg, ${colourOf(0)} 0 2px, ${colourOf(0, 0.25)} 2px 4px)`),
  ]
}

export function legendItem(
  text: string,
  background: string,
  shape: 'square' | 'triangle' | 'disc' = 'square',
): HTMLElement {
  const item = document.createElement('span')
  const swatch = document.createElement('i')
  swatch.style.background = background
  swatch.dataset.shape = shape
  item.append(swatch, text)
  return item
}
