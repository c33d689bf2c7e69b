/** Guess: TCP, TLS and the request of a copy. */
const SETUP_MS = 200

export interface GainInputs {
  readonly server: number
  readonly straggle: number
  readonly expectedRemainingMs: number
  readonly remainingBytes: number
  /** What all sessions together are given, bytes per second. */
  readonly linkBytesPerSecond: number
  readonly inFlight: number
}

/**
 * What a copy is expected to save, in ms, for each ms that its bytes take on the link: P(the server's trouble) times the
 * time left here less the time at a mirror that takes this session's place. Without the bounds of the engine's own
 * (`copy-gain`): a rate that fades with the silence makes it a timer where nobody testifies, in outages too.
 */
export function expectedGain(o: GainInputs): number {
  const isServers = 1 - (1 - o.server) * (1 - o.straggle)
  const bytesMs = (1_000 * o.remainingBytes) / Math.max(1, o.linkBytesPerSecond)
  const savedMs = o.expectedRemainingMs - (SETUP_MS + bytesMs * o.inFlight)
  return (isServers * Math.max(0, savedMs)) / (SETUP_MS + bytesMs)
}
