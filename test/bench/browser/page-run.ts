/** What the page is asked to do, and what it says of it: shared by the page and the process that drives it. */
export type Uploader = 'uppy-adaptive' | '@uppy/tus' | 'one XHR body'

export interface PageRun {
  readonly uploader: Uploader
  readonly endpoint: string
}

export interface PageOutcome {
  readonly tookMs: number
  /** Of tasks over 50 ms in the page's own thread while it uploaded, ms each. */
  readonly longTasksMs: readonly number[]
}

/** The page's side, at `window.comparison`. */
export interface PageBench {
  /** Uploads the chosen file. Rejects when the upload fails. */
  run(o: PageRun): Promise<PageOutcome>
}
