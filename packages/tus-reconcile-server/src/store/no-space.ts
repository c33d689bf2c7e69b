/** The disk is full, or the user's share of it, or the file is larger than the file system takes. */
const NO_SPACE: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** What the database of records says in its message alone. */
const IN_WORDS = /No space left on device|Disk quota exceeded|File too large/

export function isNoSpace(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false
  return NO_SPACE.has(error.code) || (error.code === 'LEVEL_IO_ERROR' && IN_WORDS.test(error.message))
}

/** As @tus/server takes it from a store. */
export const NO_SPACE_ANSWER: { readonly status_code: number; readonly body: string } = {
  status_code: 507,
  body: 'the disk is full: what arrived is kept\n',
}
