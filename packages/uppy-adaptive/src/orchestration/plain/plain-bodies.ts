import type { BrokenPatch } from '../../partitioning/patch-history.js'
import type { HostRule, PatchSize } from '../../partitioning/patch-sizer.js'
import { decidePatchSize, hostRuleOf } from '../../partitioning/patch-sizer.js'
import { LEAST_BODY_BYTES } from '../kept/body-limits.js'
import { tooLarge } from '../refusal-error.js'
import { UNKNOWN_RTT_MS } from '../servers/store-ranking.js'
import type { PlainFlight } from './plain-flight.js'
import type { PlainTransferParts } from './plain-transfer.js'

/** Where the next PATCH goes; without a URL the upload is to be created. */
interface Place {
  readonly offset: number
  readonly url: string | undefined
}

/** How large bodies to a plain server are, by what its host is known for, what it announces, and what bodies before taught. */
export class PlainBodies {
  readonly #parts: PlainTransferParts
  readonly #flight: PlainFlight

  constructor(parts: PlainTransferParts, flight: PlainFlight) {
    this.#parts = parts
    this.#flight = flight
  }

  /** Of the PATCH that begins at `offset`. */
  size({ offset, url }: Place): PatchSize {
    const { model, options, source, history } = this.#parts
    const host = this.#ruleOf(url)
    const known = model.store(this.#flight.store)
    // where the server is known to need its size, the cap holds over longer times
    const isFixed = options.chunkSize !== undefined || host !== undefined
    const capped = isFixed ? undefined : options.rateCap?.bodyBytes(known.requestRttMs ?? 0)
    // a stream's PATCH is read before it is sent
    const limits = [this.#largestBody, history.mostBytes, capped, source.bufferBytes]
    const mostBytes = Math.min(...limits.filter((limit) => limit !== undefined))
    return decidePatchSize({
      remainingBytes: source.sizeBytes - offset,
      goodputBytesPerSecond: this.#flight.goodputBytesPerSecond ?? known.goodputBytesPerSecond,
      requestRttMs: known.requestRttMs ?? UNKNOWN_RTT_MS,
      meanTimeBetweenFailuresMs: known.meanTimeBetweenFailuresMs,
      lostShare: history.lostShare,
      mostBytes,
      chunkSize: options.chunkSize,
      host,
    })
  }

  /** So many bytes of the last PATCH arrived. */
  arrived(bytes: number): void {
    const { history, bodies, options } = this.#parts
    history.arrived(bytes)
    if (bytes === this.#flight.sizeBytes) bodies.took(options.endpoint, bytes)
  }

  /** What became of a PATCH that broke off, if one did. */
  broke(broken: BrokenPatch | undefined): void {
    const { history, bodies, options } = this.#parts
    const before = this.#largestBody
    // two that broke off alike
    if (broken && history.broken(broken)) bodies.vanished(options.endpoint, broken.sizeBytes, 2)
    if (this.#largestBody < before) this.#noteShrunk()
  }

  /**
   * 413: smaller bodies from now on. @throws UploadError `too-large` where there are none that the server could want
   * @param said the size that it names
   */
  refused(said: number | undefined, next: Place): void {
    const { bodies, options, source } = this.#parts
    const { sizeBytes } = this.#flight
    if (sizeBytes === 0) {
      const file = Number.isFinite(source.sizeBytes) ? `a file of ${source.sizeBytes} bytes` : 'this stream'
      throw tooLarge(`${options.endpoint} does not take ${file} (413)`)
    }
    bodies.refused(options.endpoint, sizeBytes, said)
    if (this.#largestBody < LEAST_BODY_BYTES || this.size(next).sizeBytes >= sizeBytes)
      throw tooLarge(`${options.endpoint} answers 413 to ${sizeBytes} bytes at once`)
    this.#noteShrunk()
  }

  #noteShrunk(): void {
    this.#parts.log.emit({ type: 'shrunk', ...this.#flight.name, maxBodyBytes: this.#largestBody })
  }

  /** What is known of the server's own address, or that of the upload, and what it announces. */
  #ruleOf(url: string | undefined): HostRule | undefined {
    const { endpoint } = this.#parts.options
    const preset = hostRuleOf(url ?? endpoint) ?? hostRuleOf(endpoint)
    const { minAppendSize, maxAppendSize = Number.POSITIVE_INFINITY } = this.#parts.limit
    if (minAppendSize === undefined) return preset
    const maxBytes = Math.min(preset?.maxBytes ?? maxAppendSize, maxAppendSize)
    const minBytes = Math.min(Math.max(preset?.minBytes ?? 1, minAppendSize), maxBytes)
    return { minBytes, maxBytes, multipleBytes: preset?.multipleBytes ?? 1 }
  }

  get #largestBody(): number {
    const { bodies, limit, options } = this.#parts
    return bodies.largest(options.endpoint, limit.maxAppendSize)
  }
}
