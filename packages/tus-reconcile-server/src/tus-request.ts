import type { ServerOptions } from '@tus/server'

/** A request as @tus/server hands it to hooks: a web Request, with Node's own beside it where there is one. */
export type TusRequest = Parameters<NonNullable<ServerOptions['onIncomingRequest']>>[0]
