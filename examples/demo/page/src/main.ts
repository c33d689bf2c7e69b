import '@uppy/core/css/style.min.css'
import '@uppy/dashboard/css/style.min.css'
import 'uplot/dist/uPlot.min.css'
import './style.css'
import type { LoggedEvent } from 'uppy-adaptive/upload'
import { loadConfig, type ServerConfig } from './config.js'
import { addEvent, EMPTY_PICTURE } from './picture/file-picture.js'
import { SeriesBook } from './picture/series.js'
import { createUploader } from './uploader.js'
import { ChartsView } from './views/charts-view.js'
import { DecisionsView } from './views/decisions-view.js'
import { Headline } from './views/headline.js'
import { drawLanes, lanesLegend } from './views/lanes-view.js'
import { drawStrip, stripLegend } from './views/strip-view.js'
import { createSwitches } from './views/switches.js'

declare global {
  interface Window {
    /** For whoever drives the page from outside. */
    __demo: { events: LoggedEvent[]; done: boolean; result?: { url: string }; error?: string }
  }
}

/** The picture is drawn so often while something moves: a guess between smooth and idle processors. */
const FRAME_MS = 200

window.__demo = { events: [], done: false }
loadConfig().then(show, (error: unknown) => {
  setState('bad', error instanceof Error ? error.message : String(error))
})

function show(servers: readonly ServerConfig[]): void {
  const names = servers.map((server) => server.name)
  byId('legend').append(...stripLegend(names))
  byId('lane-legend').append(...lanesLegend())
  createSwitches(byId('switches'), byId('switch-message'), names)
  const page = createPage(servers)
  page.draw()
  createUploader('#dashboard', servers, {
    onBegin: () => {
      window.__demo = { events: [], done: false }
      page.reset()
      setState('busy', 'uploading')
    },
    onEvent: (event) => {
      window.__demo.events.push(event)
      page.add(event)
    },
    onEnd: (outcome) => {
      page.draw()
      if ('url' in outcome) window.__demo = { ...window.__demo, done: true, result: outcome }
      else window.__demo = { ...window.__demo, done: true, error: outcome.error }
      setState('url' in outcome ? 'good' : 'bad', 'url' in outcome ? 'committed, every block verified' : outcome.error)
    },
  })
}

function createPage(servers: readonly ServerConfig[]): { add(event: LoggedEvent): void; reset(): void; draw(): void } {
  const names = servers.map((server) => server.name)
  const places = { goodput: byId('goodput'), sizes: byId('sizes'), risk: byId('risk') }
  const charts = new ChartsView(places, names)
  const decisions = new DecisionsView(byId('decisions'), servers)
  const headline = new Headline(byId('headline'))
  let picture = EMPTY_PICTURE
  let book = new SeriesBook(names.length)
  let isDue = false
  const draw = (): void => {
    isDue = false
    drawStrip(canvas('strip'), picture)
    drawLanes(canvas('lanes'), picture, names)
    charts.draw(book)
    headline.draw(picture)
  }
  const add = (event: LoggedEvent): void => {
    picture = addEvent(picture, event)
    book.add(event)
    headline.add(event)
    decisions.add(event)
    if (!isDue) window.setTimeout(draw, FRAME_MS)
    isDue = true
  }
  const reset = (): void => {
    picture = EMPTY_PICTURE
    book = new SeriesBook(names.length)
    headline.reset()
    decisions.clear()
    draw()
  }
  window.addEventListener('resize', draw)
  return { add, reset, draw }
}

function setState(kind: 'busy' | 'good' | 'bad', text: string): void {
  const place = byId('state')
  place.dataset.kind = kind
  place.textContent = text
}

function byId(id: string): HTMLElement {
  const found = document.getElementById(id)
  if (!found) throw new Error(`the page has no #${id}`)
  return found
}

function canvas(id: string): HTMLCanvasElement {
  const found = byId(id)
  if (found instanceof HTMLCanvasElement) return found
  throw new Error(`#${id} is no canvas`)
}
