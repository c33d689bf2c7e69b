import * as v from 'valibot'

/** What a place for texts gives back, as the schema has it; undefined of what is missing, damaged, another's, or longer than ours can be. */
export function readStored<T>(
  schema: v.GenericSchema<unknown, T>,
  text: unknown,
  o: { readonly longestText: number },
): T | undefined {
  if (typeof text !== 'string' || text.length > o.longestText) return undefined
  try {
    const result = v.safeParse(schema, JSON.parse(text))
    return result.success ? result.output : undefined
  } catch {
    return undefined
  }
}
