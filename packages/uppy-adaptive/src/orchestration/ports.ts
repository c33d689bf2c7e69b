import type {
  ByteRange,
  GroupOperationRequest,
  OperationAnswers,
  PartitionHeader,
  ServerEvent,
  UploadLimit,
} from 'tus-reconcile-protocol'
import type { FailureKind } from 'upload-predictor'
import type { Fault } from './failure-table.js'

/** Time and timers, so that the orchestration has neither of its own. */
export interface Clock {
  /** Monotone, milliseconds. */
  now(): number
  /** Wall clock, milliseconds since 1970: for logs, and for the age of what was kept. */
  epochMs(): number
  /** Calls back once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, callback: () => void): () => void
  /** Resolves as soon as whatever else waits for the thread has had its turn. */
  breathe(): Promise<void>
}

/** Unguessable ids and a uniform number in [0, 1). */
export interface Randomness {
  id(): string
  uniform(): number
}

/** What an HttpStack takes as a body: a Blob in browsers; a Uint8Array or a Readable with `size` in Node. */
export type RequestBody = unknown

/** A stream that nobody reads to its end stays open (TOOLCHAIN). */
export function closeBody(body: RequestBody): void {
  if (typeof body === 'object' && body !== null && 'destroy' in body && typeof body.destroy === 'function')
    body.destroy()
}

/** The file. Ranges are absolute; every call may be repeated, but for a stream's. */
export interface Source {
  /** Infinity while a stream's end has not been read. */
  readonly sizeBytes: number
  readonly contentType: string | undefined
  /** Stable name of this file on this device for resuming; undefined where there is none. */
  readonly fingerprint: string | undefined
  /** Wall clock of the file's last change, ms since 1970, where it is known. */
  readonly modifiedAt?: number | undefined
  body(range: ByteRange): RequestBody | Promise<RequestBody>
  /** @throws UploadError `source-unreadable` or `source-changed` */
  read(range: ByteRange): Promise<Uint8Array>
  /**
   * Where a long range in order costs less than its pieces one by one: so many bytes at a time, the last may be fewer,
   * each valid until the next is asked for. Throws as `read`.
   */
  pieces?(range: ByteRange, pieceBytes: number): AsyncIterable<Uint8Array>
  close(): Promise<void>
  /** Of a stream: how much of it is kept to be sent again, at most, bytes. Its bytes come in their order, and are read once. */
  readonly bufferBytes?: number
  /** The server has a stream's bytes before this one. */
  release?(offset: number): void
  /** The upload is cancelled: nobody reads the stream on. */
  discard?(): Promise<void>
}

/** SHA-256 of some bytes. */
export interface Digester {
  digest(bytes: Uint8Array): Promise<Uint8Array>
}

export interface Capabilities {
  readonly kind: 'reconcile' | 'tus'
  readonly storeId: string | undefined
  readonly limit: UploadLimit
  readonly extensions: readonly string[]
  /** Its operator lets a file be committed at another store than its home (`Reconcile-Commit: any`; default false). */
  readonly commitsElsewhere?: boolean
}

/** One attempt of a session: creates it, or appends to it, over one route. */
export interface Attempt {
  readonly partition: PartitionHeader
  readonly metadata: Readonly<Record<string, string>>
  /** Undefined creates the session; otherwise its upload URL. */
  readonly url: string | undefined
  /** Absolute offsets of the bytes to send. */
  readonly range: ByteRange
  readonly body: RequestBody
  readonly signal: AbortSignal
  /** Bytes of this body handed to the socket so far. */
  readonly onHandedOver: (bytes: number) => void
  readonly onLoad?: LoadListener
  /** The request goes out: until now the application's own hooks and headers held it back. */
  readonly onSending?: () => void
  /** The answer refuses the application's credentials: until it gives others it holds the session back. */
  readonly onHeldBack?: () => void
}

/** Told how busy the server says that it is, 0 to 1, before the answer that says so is given. */
export type LoadListener = (load: number) => void

/**
 * How an attempt ended. Offsets are absolute. `cut` says nothing of what arrived; `fault` is how it was cut, and
 * `failure` what that says of the server (default what the table says of the fault, else `connection`). Every other kind
 * is the server's word. After `denied` with `isRenewed` the application has others.
 */
export type AttemptOutcome =
  | { readonly kind: 'accepted'; readonly offset: number; readonly url: string }
  | {
      readonly kind: 'mismatch'
      readonly offset: number | undefined
      readonly url: string | undefined
      readonly reachedEnd: boolean
    }
  | { readonly kind: 'over'; readonly state: string; readonly status: number }
  | { readonly kind: 'tooLarge'; readonly limit: UploadLimit }
  | { readonly kind: 'wait'; readonly status: number; readonly retryAfterMs: number | undefined }
  | { readonly kind: 'full' }
  | { readonly kind: 'refused'; readonly status: number; readonly message: string }
  | { readonly kind: 'denied'; readonly status: number; readonly message: string; readonly isRenewed: boolean }
  | { readonly kind: 'cut'; readonly cause: Error; readonly fault?: Fault; readonly failure?: FailureKind }
  | { readonly kind: 'aborted' }

/** One address of a server. Every method settles promptly when its signal fires and leaves nothing running. */
export interface ServerPort {
  readonly endpoint: string
  /** By which address of this machine its requests go; undefined: as the system chooses. */
  readonly localAddress?: string | undefined
  /** @throws UploadError `not-a-tus-server` or `unreachable` */
  probe(signal: AbortSignal, onLoad?: LoadListener): Promise<Capabilities>
  attempt(attempt: Attempt): Promise<AttemptOutcome>
  /** @throws OperationError when refused, any Error when the request was cut. */
  operate<Request extends GroupOperationRequest>(
    request: Request,
    signal: AbortSignal,
    onLoad?: LoadListener,
  ): Promise<OperationAnswers[Request['op']]>
  /** Reads the event stream until it ends or breaks. `onAlive` is called for anything heard, heartbeats too. */
  listen(o: {
    client: string
    lastEventId: string | undefined
    signal: AbortSignal
    onEvent: (event: ServerEvent, id: string) => void
    onAlive: () => void
    onLoad: LoadListener
  }): Promise<void>
}

/** As logs and memories name it: two ways to one endpoint are two addresses. */
export function nameOfAddress({ endpoint, localAddress }: Pick<ServerPort, 'endpoint' | 'localAddress'>): string {
  return localAddress === undefined ? endpoint : `${endpoint} from ${localAddress}`
}

/**
 * How an upload to a plain tus server ended, or failed for the first time. `another`: what is at its URL is of another
 * length than the file, or longer.
 */
export type PlainOutcome =
  | AttemptOutcome
  | { readonly kind: 'done'; readonly url: string }
  | { readonly kind: 'another'; readonly why: string }

/** One run of an upload to a plain tus server: creates it or asks where it stands, then one PATCH after another. */
export interface PlainRun {
  readonly source: Source
  readonly metadata: Readonly<Record<string, string>>
  /** Undefined creates the upload. */
  readonly url: string | undefined
  readonly signal: AbortSignal
  /** A signal that ends a request without bytes when it has taken too long. Call `done` when it is answered. */
  readonly openDeadline: () => { readonly signal: AbortSignal; done(): void }
  /** Bytes of the PATCH that begins at `offset`. */
  readonly nextSize: (offset: number) => number
  readonly onUrl: (url: string) => void
  /** The server says that it has so much; `isPatch`: as it took the bytes, not when asked. */
  readonly onOffset: (offset: number, isPatch: boolean) => void
  /** Resolves when a PATCH of these bytes may begin. */
  readonly admit: (range: ByteRange) => Promise<void>
  /** A PATCH goes out, after the application's hooks. */
  readonly onPatch: (range: ByteRange) => void
  /** Handed to the network up to here, which may run megabytes ahead of what arrived. */
  readonly onHandedOver: (offset: number) => void
}

/** A server without our extension. Settles promptly when its signal fires and leaves nothing running. */
export interface PlainPort {
  readonly endpoint: string
  /** Never retries by itself. @throws UploadError of the source */
  run(o: PlainRun): Promise<PlainOutcome>
  /** @throws Error when the server cannot be told that the upload is over */
  terminate(url: string): Promise<void>
}

/** The server refused an operation, with its own words. */
export class OperationError extends Error {
  readonly status: number
  readonly code: string
  readonly body: unknown
  /** For how long it wants to be left alone, where it says so. */
  readonly retryAfterMs: number | undefined
  /** It refused the credentials, and the application has given others since: ask again. */
  readonly isRenewed: boolean
  constructor(o: {
    status: number
    code: string
    message: string
    body?: unknown
    retryAfterMs?: number | undefined
    isRenewed?: boolean
  }) {
    super(o.message)
    this.name = 'OperationError'
    this.retryAfterMs = o.retryAfterMs
    this.isRenewed = o.isRenewed ?? false
    this.status = o.status
    this.code = o.code
    this.body = o.body
  }
}

/** What becomes of the page that uploads. */
export interface PageListener {
  /** It is hidden or left, perhaps for good: what is to be kept, is to be kept in this turn. */
  onLeave(): void
  /** It is frozen, or put aside by "back": nothing of it runs until it wakes. */
  onSleep(reason: 'freeze' | 'pagehide'): void
  onWake(): void
  /** The browser says that there is a network again, which may be wrong. */
  onOnline(): void
}

/** The page, in browsers; in Node nothing ever becomes of it. */
export interface Page {
  /** The returned function ends it. */
  watch(listener: PageListener): () => void
  /** The user wants little data sent, as the browser says at this moment. */
  isSavingData(): boolean
}

/** What the pages of one origin share: of a name one has its turn, and what is said of it all the others hear. */
export interface Turns {
  /**
   * Resolves when it is ours, to what gives it back; undefined when the signal fired before. `onTaken`: another page has it,
   * and this one waits.
   */
  take(name: string, o: { signal: AbortSignal; onTaken: () => void }): Promise<(() => void) | undefined>
  open(name: string, onMessage: (message: unknown) => void): { post(message: unknown): void; close(): void }
}

/** What the page's browser, or the process, allows. */
export interface ConnectionLimits {
  /** Requests to this address that may be in flight at once: six over HTTP/1.1 in a browser. */
  most(endpoint: string): number
  /** They share one connection, in which each has a flow-control window of its own (HTTP/2). */
  areMultiplexed(endpoint: string): boolean
}

/** Small texts that outlive the page or process, by key. */
export interface JournalStorage {
  get(key: string): Promise<string | undefined>
  set(key: string, value: string): Promise<void>
  delete(key: string): Promise<void>
}
