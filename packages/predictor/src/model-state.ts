import { decodeCalibration, encodeCalibration } from './calibration-state.js'
import type { Fleet } from './fleet.js'
import type { KnownTransitions, Triple } from './link-transitions.js'
import { requireInput, requireTime } from './predictor-error.js'
import type { KnownRecalibration } from './recalibration.js'
import { list, number, object, refuse, text } from './state-reader.js'
import { aged, brief, decodeStore, encodeStore, type StoreMemory } from './store-memory.js'

const FORMAT = 'upload-predictor'
const VERSION = 1
/** Small: those heard last are kept. */
const MOST_STORES = 32
const LONGEST_KEY = 2_048
/** Longest text that is parsed at all. */
const LONGEST_TEXT = 256 * 1024

const LINK_HALF_LIFE_MS = 86_400_000
/** Forgetting holds every count below this. */
const MOST_COUNTED = 1_000

export interface ModelMemory {
  readonly stores: ReadonlyMap<string, StoreMemory>
  readonly transitions: KnownTransitions
  readonly calibration: KnownRecalibration
}

/** What `RiskModel.toJSON` gives: plain data, about half a kilobyte per store. */
export interface RiskModelState {
  readonly format: typeof FORMAT
  readonly version: typeof VERSION
  readonly link: readonly (readonly number[])[]
  readonly calibration: readonly (readonly number[])[]
  readonly stores: readonly Record<string, unknown>[]
}

export interface RestoreOptions {
  /** Now, by the clock that the model is to be told. */
  nowMs: number
  /** How long ago the state was written; by the wall clock, for the model's own may have started anew. */
  ageMs: number
}

export function encodeModel(fleet: Fleet, shared: Omit<ModelMemory, 'stores'>): RiskModelState {
  const heard = [...fleet.stores].filter(([store]) => store.length <= LONGEST_KEY)
  const latest = heard.sort(([, a], [, b]) => (a.lastHeardMs ?? -Infinity) - (b.lastHeardMs ?? -Infinity))
  return {
    format: FORMAT,
    version: VERSION,
    link: shared.transitions.map((row) => row.map(brief)),
    calibration: encodeCalibration(shared.calibration),
    stores: latest.slice(-MOST_STORES).map(([store, record]) => encodeStore(store, record.memory())),
  }
}

/** What was written, aged. @throws PredictorError `invalidState` for anything else, before anything is built from it. */
export function decodeModel(json: unknown, { nowMs, ageMs }: RestoreOptions): ModelMemory {
  requireTime(nowMs)
  requireInput('ageMs', ageMs)
  const state = object('state', typeof json === 'string' ? parsed(json) : json)
  if (state.format !== FORMAT) refuse('state.format', `"${FORMAT}"`, state.format)
  number('state.version', state.version, VERSION, VERSION)
  const stores = new Map<string, StoreMemory>()
  for (const [index, value] of list('state.stores', state.stores, undefined, MOST_STORES).entries()) {
    const path = `state.stores[${index}]`
    const key = text(`${path}.store`, object(path, value).store, LONGEST_KEY)
    stores.set(key, aged(decodeStore(path, value), ageMs))
  }
  return {
    stores,
    transitions: decodeTransitions(state.link, ageMs),
    calibration: decodeCalibration(state.calibration, ageMs),
  }
}

/** Half is forgotten in a day (guess): the same user, perhaps in another place. */
function decodeTransitions(value: unknown, ageMs: number): KnownTransitions {
  const kept = 0.5 ** (ageMs / LINK_HALF_LIFE_MS)
  const cell = (from: number, to: number, item: unknown): number =>
    kept * number(`state.link[${from}][${to}]`, item, 0, MOST_COUNTED)
  const rows = list('state.link', value, 3)
  const row = (from: number): Triple => {
    const [good, bad, outage] = list(`state.link[${from}]`, rows[from], 3)
    return [cell(from, 0, good), cell(from, 1, bad), cell(from, 2, outage)]
  }
  return [row(0), row(1), row(2)]
}

function parsed(json: string): unknown {
  if (json.length > LONGEST_TEXT)
    refuse('state', `a text of at most ${LONGEST_TEXT} characters`, `${json.length} of them`)
  try {
    return JSON.parse(json)
  } catch {
    return refuse('state', 'JSON', json)
  }
}
