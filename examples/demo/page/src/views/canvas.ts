export interface Surface {
  readonly pen: CanvasRenderingContext2D
  /** CSS pixels. */
  readonly width: number
  readonly height: number
}

/** Clears the canvas and fits it to its place on the page, sharp on every screen. */
export function beginDrawing(canvas: HTMLCanvasElement, height: number): Surface | undefined {
  const width = canvas.parentElement?.clientWidth ?? canvas.clientWidth
  const style = canvas.parentElement ? getComputedStyle(canvas.parentElement) : undefined
  const inner = width - Number.parseFloat(style?.paddingLeft ?? '0') - Number.parseFloat(style?.paddingRight ?? '0')
  const scale = window.devicePixelRatio
  const [pixels, rows] = [Math.round(inner * scale), Math.round(height * scale)]
  if (canvas.width !== pixels || canvas.height !== rows) {
    canvas.width = pixels
    canvas.height = rows
    canvas.style.width = `${inner}px`
    canvas.style.height = `${height}px`
  }
  const pen = canvas.getContext('2d')
  if (!pen) return undefined
  pen.setTransform(scale, 0, 0, scale, 0, 0)
  pen.clearRect(0, 0, inner, height)
  pen.font = '11px system-ui, sans-serif'
  return { pen, width: inner, height }
}
