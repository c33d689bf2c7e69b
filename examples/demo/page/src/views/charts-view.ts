import uPlot from 'uplot'
import { colourOf, themeColour } from '../colours.js'
import type { Series, SeriesBook } from '../picture/series.js'

const HEIGHT = 118
const FONT = '10px system-ui, sans-serif'
/** The engine's default: from here on a copy may start. */
const THRESHOLD = 0.5

interface Look {
  readonly points: boolean
  readonly logarithmic: boolean
  readonly most?: number
  readonly threshold?: number
}

/** The three small charts over time. */
export class ChartsView {
  readonly #goodput: uPlot
  readonly #sizes: uPlot
  readonly #risk: uPlot
  readonly #all: readonly { readonly plot: uPlot; readonly place: HTMLElement }[]

  constructor(places: { goodput: HTMLElement; sizes: HTMLElement; risk: HTMLElement }, names: readonly string[]) {
    this.#goodput = createChart(places.goodput, names, { points: false, logarithmic: false })
    this.#sizes = createChart(places.sizes, names, { points: true, logarithmic: true })
    this.#risk = createChart(places.risk, names, { points: false, logarithmic: false, most: 1, threshold: THRESHOLD })
    this.#all = [
      { plot: this.#goodput, place: places.goodput },
      { plot: this.#sizes, place: places.sizes },
      { plot: this.#risk, place: places.risk },
    ]
    window.addEventListener('resize', () => this.#fit())
  }

  draw(book: SeriesBook): void {
    this.#goodput.setData(book.goodput())
    this.#sizes.setData(book.sizes())
    this.#risk.setData(book.risks())
  }

  #fit(): void {
    for (const { plot, place } of this.#all) plot.setSize({ width: place.clientWidth, height: HEIGHT })
  }
}

function createChart(place: HTMLElement, names: readonly string[], look: Look): uPlot {
  const empty: Series = [[], ...names.map(() => [])]
  const ticks = { show: true, size: 3, stroke: themeColour('line'), width: 1 }
  const axis = {
    ticks,
    gap: 3,
    stroke: themeColour('muted'),
    font: FONT,
    grid: { stroke: themeColour('line'), width: 1 },
  }
  const options: uPlot.Options = {
    width: place.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 16, 0, 0],
    scales: {
      x: { time: false, range: (_plot, _least, most) => [0, Math.max(10, most ?? 0)] },
      y: look.logarithmic
        ? { distr: 3, log: 2, range: rangeOfSizes }
        : { range: (_plot, _least, most) => [0, look.most ?? Math.max(1, (most ?? 0) * 1.1)] },
    },
    axes: [
      { ...axis, size: 24, values: (_plot, ticks) => ticks.map((tick) => `${tick} s`) },
      {
        ...axis,
        size: 34,
        space: 22,
        values: (_plot, ticks) => ticks.map((tick) => formatTick(tick)),
      },
    ],
    series: [{}, ...names.map((name, server) => createSeries(name, server, look.points))],
    hooks: { draw: [(plot) => drawThreshold(plot, look.threshold)] },
  }
  return new uPlot(options, empty, place)
}

function createSeries(label: string, server: number, points: boolean): uPlot.Series {
  const stroke = colourOf(server)
  if (!points) return { label, stroke, width: 1.75, points: { show: false }, spanGaps: false }
  return { label, stroke, width: 1, spanGaps: true, points: { show: true, size: 5, fill: stroke, stroke } }
}

/** From a block on, in powers of two; the file's last, smaller rest lies on the lower edge. */
function rangeOfSizes(_plot: uPlot, _least: number | null, most: number | null): [number, number] {
  return [0.25, 2 ** Math.ceil(Math.log2(Math.max(4, most ?? 0)))]
}

function formatTick(tick: number | null): string {
  return tick === null ? '' : String(tick)
}

function drawThreshold(plot: uPlot, threshold: number | undefined): void {
  if (threshold === undefined) return
  const y = plot.valToPos(threshold, 'y', true)
  const { left, width } = plot.bbox
  plot.ctx.save()
  plot.ctx.strokeStyle = themeColour('bad')
  plot.ctx.setLineDash([4, 4])
  plot.ctx.beginPath()
  plot.ctx.moveTo(left, y)
  plot.ctx.lineTo(left + width, y)
  plot.ctx.stroke()
  plot.ctx.restore()
}
