import { parseArgs } from 'node:util'

/** By their names: one that takes a text, or one that is there or not. */
type Flags = Readonly<Record<string, { readonly type: 'string' | 'boolean' }>>
type Given<F extends Flags> = ReturnType<typeof parseArgs<{ args: string[]; options: F }>>['values']

/** What was given of `flags`. @throws Error with `usage` where anything else was */
export function parseFlags<F extends Flags>(argv: readonly string[], flags: F, usage: string): Given<F> {
  try {
    return parseArgs<{ args: string[]; options: F }>({ args: [...argv], options: flags }).values
  } catch (cause) {
    throw new Error(`${cause instanceof Error ? cause.message : cause}\n${usage}`, { cause })
  }
}

/** The whole number that `flag` was given, or `otherwise`. @throws Error with `usage` where it is not from least to most */
export function countFrom(
  text: string | undefined,
  {
    flag,
    least,
    most,
    otherwise,
    usage,
  }: { flag: string; least: number; most: number; otherwise: number; usage: string },
): number {
  const count = Number(text ?? otherwise)
  if (Number.isInteger(count) && count >= least && count <= most) return count
  throw new Error(`${flag} is a whole number from ${least} to ${most}, not ${text}\n${usage}`)
}
