import { totalBytes } from 'tus-reconcile-protocol'
import type { LoggedEvent } from 'uppy-adaptive/upload'
import type { FilePicture } from '../picture/file-picture.js'

/** The figures in the page's head. */
export class Headline {
  readonly #list: HTMLElement
  readonly #cells = new Map<string, HTMLElement>()
  readonly #counts = { partitions: 0, splits: 0, takeOvers: 0, copies: 0, superseded: 0 }
  #goodput: number | null = null

  constructor(list: HTMLElement) {
    this.#list = list
  }

  reset(): void {
    Object.assign(this.#counts, { partitions: 0, splits: 0, takeOvers: 0, copies: 0, superseded: 0 })
    this.#goodput = null
  }

  add(event: LoggedEvent): void {
    if (event.type === 'session' && event.kind !== 'copy') this.#counts.partitions += 1
    else if (event.type === 'split') this.#counts.splits += 1
    else if (event.type === 'takeOver') this.#counts.takeOvers += 1
    else if (event.type === 'copy') this.#counts.copies += 1
    else if (event.type === 'superseded') this.#counts.superseded += 1
    else if (event.type === 'sample') this.#goodput = event.goodputBytesPerSecond
  }

  draw(picture: FilePicture): void {
    const { partitions, splits, takeOvers, copies, superseded } = this.#counts
    const share = picture.sizeBytes === 0 ? 0 : totalBytes(picture.verified) / picture.sizeBytes
    const goodput = this.#goodput === null ? '–' : `${((this.#goodput * 8) / 1e6).toFixed(1)} Mbit/s`
    this.#show('time', `${(picture.elapsedMs / 1000).toFixed(1)} s`)
    this.#show('verified', `${(share * 100).toFixed(0)} %`)
    this.#show('goodput', picture.isDone ? '–' : goodput)
    this.#show('partitions', String(partitions))
    this.#show('splits', String(splits))
    this.#show('take-overs', String(takeOvers))
    this.#show('copies', String(copies))
    this.#show('superseded', String(superseded))
  }

  #show(name: string, value: string): void {
    let cell = this.#cells.get(name)
    if (!cell) {
      const group = document.createElement('div')
      const term = document.createElement('dt')
      cell = document.createElement('dd')
      term.textContent = name
      group.append(term, cell)
      this.#list.append(group)
      this.#cells.set(name, cell)
    }
    if (cell.textContent !== value) cell.textContent = value
  }
}
