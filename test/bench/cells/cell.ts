import type { BenchProcess } from '../calls.js'
import type { Figure } from '../figures.js'

/** What every cell is given. */
export interface Bench {
  readonly rounds: number
  readonly quick: boolean
  /** The clients' process. */
  readonly clients: BenchProcess
}

/** One question of the bench. */
export interface Cell {
  readonly name: string
  run(bench: Bench): Promise<Figure[]>
}

export const MIB = 1_048_576
