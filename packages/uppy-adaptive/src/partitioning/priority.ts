export type Priority = 'high' | 'normal' | 'bulk'

/** How much longer or shorter than usual a partition of this priority may take (guess: halves and doubles, to be tuned). */
const WINDOW_FACTOR: Record<Priority, number> = { high: 0.5, normal: 1, bulk: 2 }

/** Types that somebody waits to see, and types that are stored to be fetched later (guess, overridden by the application). */
const WAITED_FOR = /^(image|text)\//
const STORED = /^(video\/|application\/(zip|gzip|x-tar|x-7z-compressed|x-iso9660-image)$)/

export function windowFactor(priority: Priority): number {
  return WINDOW_FACTOR[priority]
}

/** The priority of a content type when the application names none. */
export function priorityOfType(contentType: string | undefined): Priority {
  if (!contentType) return 'normal'
  if (WAITED_FOR.test(contentType)) return 'high'
  return STORED.test(contentType) ? 'bulk' : 'normal'
}
