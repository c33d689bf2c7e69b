/** Hue, saturation and lightness of each server's colour: blue, teal, amber; told apart also without colour vision. */
const HUES: readonly (readonly [hue: number, saturation: number, lightness: number])[] = [
  [217, 80, 56],
  [168, 70, 38],
  [35, 90, 48],
]
const NOBODY = [220, 8, 55] as const

/** Of a server, solid; `alpha` from 0 to 1 for lighter hues. */
export function colourOf(server: number, alpha = 1): string {
  const [hue, saturation, lightness] = HUES[server] ?? NOBODY
  return `hsl(${hue} ${saturation}% ${lightness}% / ${alpha})`
}

/** A colour of the page's own theme. */
export function themeColour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()
}

/** Diagonal lines in a server's colour, for copies. */
export function hatch(context: CanvasRenderingContext2D, server: number): CanvasPattern | string {
  const tile = document.createElement('canvas')
  tile.width = 6
  tile.height = 6
  const pen = tile.getContext('2d')
  if (!pen) return colourOf(server, 0.5)
  pen.fillStyle = colourOf(server, 0.25)
  pen.fillRect(0, 0, 6, 6)
  pen.strokeStyle = colourOf(server)
  pen.lineWidth = 2
  pen.beginPath()
  for (const x of [-6, 0, 6]) {
    pen.moveTo(x, 6)
    pen.lineTo(x + 6, 0)
  }
  pen.stroke()
  return context.createPattern(tile, 'repeat') ?? colourOf(server, 0.5)
}
