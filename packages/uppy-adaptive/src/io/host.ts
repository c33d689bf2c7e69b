import { formatId } from 'tus-reconcile-protocol'
import type { Clock, Randomness } from '../orchestration/ports.js'
import { breathe } from './breathe.js'

export const systemClock: Clock = {
  now: () => performance.now(),
  epochMs: () => Date.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs)
    return () => clearTimeout(timer)
  },
  breathe,
}

export const systemRandomness: Randomness = {
  id: () => formatId(crypto.getRandomValues(new Uint8Array(16))),
  uniform: () => Math.random(),
}
