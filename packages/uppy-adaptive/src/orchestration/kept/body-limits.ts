import * as v from 'valibot'
import { BodyCaution } from '../../partitioning/body-caution.js'
import { hostRuleOf } from '../../partitioning/patch-sizer.js'
import type { Clock, JournalStorage } from '../ports.js'
import { readStored } from './stored-json.js'

/** Beside the journal's entries, `uploads` and `upload:…`. */
const KEY = 'body-limits'
/** Guess: an operator who lifts a limit is believed after a month. */
const EXPIRES_MS = 30 * 24 * 60 * 60 * 1000
/** What was only guessed from bodies that vanished: connections that broke may have looked like it. */
const GUESS_EXPIRES_MS = 7 * 24 * 60 * 60 * 1000
const MAX_HOSTS = 32
/** Of the longest host names: anything longer is none of ours. */
const LONGEST_TEXT = 32 * 1024
/** Cloudflare's proxy takes no larger ones. */
const PROXY_LIMIT_BYTES = 100_000_000
/** nginx's `client_max_body_size` unless it is set: what is tried first below a size that was refused. */
const USUAL_LIMIT_BYTES = 1024 * 1024
/** What is tried when that is refused, too (guess: nobody means to take less of uploads). */
const SMALL_LIMIT_BYTES = 256 * 1024
/** A server that refuses bodies under this is not limiting bodies (guess: far under the smallest default known, nginx's 1 MB). */
export const LEAST_BODY_BYTES: number = 16 * 1024
/** Bodies that vanish without a word so often are no accident of the network. */
const CERTAIN_AFTER = 2

const Memory = v.object({
  version: v.literal(1),
  hosts: v.record(
    v.string(),
    v.object({
      bytes: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
      isSaid: v.boolean(),
      /** False: one body vanished, and the next one that does makes it certain. */
      isCertain: v.optional(v.boolean(), true),
      savedAt: v.number(),
    }),
  ),
})

/** What the bodies to one host have shown, to all uploads of a page or process. */
interface Host {
  bytes: number | undefined
  /** The server or its proxy has said so, or bodies vanished often enough. */
  isCertain: boolean
  /** By a 413. */
  isSaid: boolean
  /** Largest body that it took. */
  taken: number
  vanished: number
  savedAt: number
  /** A body larger than the usual limit was taken, or a part of one was acknowledged: no usual limit stands before it. */
  isProven: boolean
  /** Whose body is the first to show that. */
  prover: object | undefined
}

/** By their names. */
export type BodyHosts = Map<string, Host>

/**
 * How large a body each host takes, as found out by bodies that it refused (413) or that vanished (a browser is not told of
 * a 413 without CORS headers). Kept over uploads and reloads by host name, of the last 32 hosts: what a 413 said for 30
 * days, what was guessed for 7. A guess limits the next upload only from the second body that vanished, whichever upload's.
 * Of uploads that begin together one alone sends a large body to a host that has taken none yet: it may be lost.
 */
export class BodyLimits {
  readonly #clock: Pick<Clock, 'epochMs'>
  readonly #storage: JournalStorage | undefined
  readonly #hosts: BodyHosts
  readonly #cautions = new Map<string, BodyCaution>()

  /** @param o.hosts what other uploads of the page or process have found out */
  constructor(o: { clock: Pick<Clock, 'epochMs'>; storage: JournalStorage | undefined; hosts?: BodyHosts }) {
    this.#clock = o.clock
    this.#storage = o.storage
    this.#hosts = o.hosts ?? new Map()
  }

  /** Once, before anything is sent. Never throws: without its memory an upload wastes a request or two. */
  async recall(): Promise<void> {
    const text = await this.#storage?.get(KEY).catch(() => undefined)
    const stored = readStored(Memory, text, { longestText: LONGEST_TEXT })
    const nowMs = this.#clock.epochMs()
    for (const [name, kept] of Object.entries(stored?.hosts ?? {})) {
      const isOver = nowMs - kept.savedAt > (kept.isSaid ? EXPIRES_MS : GUESS_EXPIRES_MS)
      if (isOver || this.#hosts.has(name)) continue
      const certain = { ...unknownHost(), ...kept }
      // what one body may have lost to a broken connection limits nobody yet
      this.#hosts.set(name, kept.isCertain ? certain : { ...certain, bytes: undefined, vanished: CERTAIN_AFTER - 1 })
    }
  }

  /**
   * The largest body to send to this address, bytes: what the server announces, lowered by its own refusals, what is known of
   * its host by name, and caution.
   * @param sender no larger than usual limits while another's is the first such body there
   */
  largest(endpoint: string, announced: number | undefined, sender?: object): number {
    const { bytes, isCertain, isProven, prover } = this.#host(endpoint)
    const isWaiting = sender !== undefined && !isProven && prover !== undefined && prover !== sender
    const learned = announced === undefined || isCertain ? bytes : undefined
    const most = Number.POSITIVE_INFINITY
    const preset = hostRuleOf(endpoint)?.maxBytes
    const proven = isWaiting ? USUAL_LIMIT_BYTES : most
    return Math.min(announced ?? most, learned ?? most, preset ?? most, proven, this.cautionFor(endpoint).mostBytes)
  }

  /** For bodies to this address in this upload. */
  cautionFor(endpoint: string): BodyCaution {
    const name = new URL(endpoint).host
    const caution = this.#cautions.get(name) ?? new BodyCaution()
    this.#cautions.set(name, caution)
    return caution
  }

  /** A body of this size is on its way. `ended` says when it is no more. */
  sends(endpoint: string, bytes: number, sender: object): void {
    const host = this.#host(endpoint)
    if (!host.isProven && bytes > USUAL_LIMIT_BYTES) host.prover ??= sender
  }

  ended(endpoint: string, sender: object): void {
    const host = this.#host(endpoint)
    if (host.prover === sender) host.prover = undefined
  }

  /** A part of a body of this size was acknowledged, so that nobody refuses such ones. */
  passes(endpoint: string, bytes: number): void {
    if (bytes > USUAL_LIMIT_BYTES) this.#host(endpoint).isProven = true
  }

  /** A body of this size arrived whole. */
  took(endpoint: string, bytes: number): void {
    const host = this.#host(endpoint)
    host.taken = Math.max(host.taken, bytes)
    this.passes(endpoint, bytes)
    // larger than any that is guessed to be refused: what vanished before vanished for another reason
    if (host.isCertain || host.vanished === 0 || bytes <= (host.bytes ?? USUAL_LIMIT_BYTES)) return
    host.vanished = 0
    host.bytes = undefined
    void this.#save().catch(() => {})
  }

  /** 413. @param said the size that the answer names */
  refused(endpoint: string, bytes: number, said: number | undefined): void {
    const host = this.#host(endpoint)
    host.isCertain = true
    host.isSaid = true
    // what it names is of no use where it is more than it refused
    this.#lower(host, said !== undefined && said < bytes ? said : nextBelow(bytes, host.taken))
  }

  /**
   * A body of which nothing arrived, though the server answers. Says nothing where as large a one did arrive.
   * @param times so many alike did
   */
  vanished(endpoint: string, bytes: number, times = 1): void {
    const host = this.#host(endpoint)
    if (bytes <= host.taken || bytes <= SMALL_LIMIT_BYTES || bytes > (host.bytes ?? bytes)) return
    host.vanished += times
    host.isCertain ||= host.vanished >= CERTAIN_AFTER
    this.#lower(host, nextBelow(bytes, host.taken))
  }

  #lower(host: Host, bytes: number): void {
    host.bytes = Math.min(host.bytes ?? bytes, bytes)
    host.savedAt = this.#clock.epochMs()
    void this.#save().catch(() => {})
  }

  async #save(): Promise<void> {
    const known = [...this.#hosts].flatMap(([name, { bytes, isCertain, isSaid, savedAt }]) =>
      bytes !== undefined ? [[name, { bytes, isSaid, isCertain, savedAt }] as const] : [],
    )
    const newest = known.sort((a, b) => b[1].savedAt - a[1].savedAt).slice(0, MAX_HOSTS)
    await this.#storage?.set(KEY, JSON.stringify({ version: 1, hosts: Object.fromEntries(newest) }))
  }

  #host(endpoint: string): Host {
    const name = new URL(endpoint).host
    const known = this.#hosts.get(name)
    if (known) return known
    const host = unknownHost()
    this.#hosts.set(name, host)
    return host
  }
}

function unknownHost(): Host {
  return {
    ...{ bytes: undefined, isCertain: false, isSaid: false, taken: 0, vanished: 0, savedAt: 0 },
    ...{ isProven: false, prover: undefined },
  }
}

/** What is known to pass, where it is of use; else the usual limits, so that refusals are few. */
function nextBelow(bytes: number, taken: number): number {
  if (taken >= SMALL_LIMIT_BYTES && taken < bytes) return taken
  return (
    [PROXY_LIMIT_BYTES, USUAL_LIMIT_BYTES, SMALL_LIMIT_BYTES].find((usual) => usual < bytes) ?? Math.floor(bytes / 2)
  )
}
