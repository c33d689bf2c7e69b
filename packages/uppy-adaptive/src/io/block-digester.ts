import type { Digester } from '../orchestration/ports.js'
import { WasmDigester } from './wasm-digester.js'

let ofPage: WasmDigester | undefined

/** SHA-256 by WebCrypto, off the thread; by hash-wasm where a page has none (no secure context). */
export function createDigester(): Digester {
  if (globalThis.crypto?.subtle) {
    return { digest: async (bytes) => new Uint8Array(await crypto.subtle.digest('SHA-256', toBuffer(bytes))) }
  }
  ofPage ??= new WasmDigester()
  return ofPage
}

/** WebCrypto refuses views of shared memory; everything else goes in without a copy. */
function toBuffer(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : new Uint8Array(bytes)
}
