/**
 * A seeded source of randomness: mulberry32 (Tommy Ettinger's public-domain 32-bit generator), seeded through FNV-1a.
 * The same seed gives the same sequence on every machine; not for secrets.
 *
 * @param seed any number or string
 * @returns a function whose every call gives the next number in [0, 1)
 */
export function seededRandom(seed: number | string): () => number {
  let state = hashOf(String(seed))
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** FNV-1a over UTF-16 units: neighbouring seeds (1, 2, 3 ...) start far apart. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return hash | 0
}
