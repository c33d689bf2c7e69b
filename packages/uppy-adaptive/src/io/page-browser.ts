import type { Page, PageListener } from '../orchestration/ports.js'

/** The page's own events (Page Lifecycle, Network Information), for as long as something is uploaded. */
export const page: Page = {
  watch: (listener) => {
    const stop = new AbortController()
    const { signal } = stop
    watchDocument(listener, signal)
    addEventListener(
      'pagehide',
      ({ persisted }) => {
        listener.onLeave()
        // else it is gone for good, and its requests with it
        if (persisted) listener.onSleep('pagehide')
      },
      { signal },
    )
    addEventListener('pageshow', ({ persisted }) => persisted && listener.onWake(), { signal })
    addEventListener('online', () => listener.onOnline(), { signal })
    return () => stop.abort()
  },
  isSavingData: () => {
    // Chromium's alone, and in no type of TypeScript's
    const connection: unknown = 'connection' in navigator ? navigator.connection : undefined
    return (
      typeof connection === 'object' && connection !== null && 'saveData' in connection && connection.saveData === true
    )
  },
}

/** A worker has no document, and is neither hidden nor frozen. */
function watchDocument(listener: PageListener, signal: AbortSignal): void {
  if (typeof document === 'undefined') return
  document.addEventListener(
    'freeze',
    () => {
      listener.onLeave()
      listener.onSleep('freeze')
    },
    { signal },
  )
  document.addEventListener('resume', () => listener.onWake(), { signal })
  // on a phone the last that a page hears
  const onVisibility = () => document.visibilityState === 'hidden' && listener.onLeave()
  document.addEventListener('visibilitychange', onVisibility, { signal })
}
