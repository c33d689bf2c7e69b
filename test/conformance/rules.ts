import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'

/** docs/protocol.md. */
export const protocolText: Promise<string> = readFile(new URL('../../docs/protocol.md', import.meta.url), 'utf8')

/** A test of one rule of docs/protocol.md, named by its number and its very words; fails when these have changed. */
export function rule(number: number, sentence: string, run: () => Promise<void>): void {
  test(`P${number}: ${sentence}`, async () => {
    expect(new RegExp(`^- \\*\\*P${number}\\*\\* (.+)\\.$`, 'm').exec(await protocolText)?.[1]).toBe(sentence)
    await run()
  })
}
