import type { Logger } from 'pino'

/** How far causes are followed. */
const MOST_CAUSES = 3

/**
 * A logger that keeps to itself what errors carry: of an error it writes its type, code, message, stack and causes,
 * without the query strings of URLs. Other properties are left out: what a hook throws may hold its whole request.
 */
export function privateLog(logger: Logger): Logger {
  return logger.child({}, { serializers: { err: (error: unknown) => describeError(error, MOST_CAUSES) } })
}

function describeError(error: unknown, causes: number): object {
  if (!(error instanceof Error)) return { type: typeof error, ...statusOf(error) }
  const { name, message, stack = '', cause } = error
  return {
    type: name,
    ...('code' in error && typeof error.code === 'string' ? { code: error.code } : {}),
    ...statusOf(error),
    message: withoutQueries(message),
    stack: withoutQueries(stack),
    ...(cause === undefined || causes === 0 ? {} : { cause: describeError(cause, causes - 1) }),
  }
}

function statusOf(error: unknown): object {
  const isStatus = typeof error === 'object' && error !== null && 'status_code' in error
  return isStatus && typeof error.status_code === 'number' ? { status: error.status_code } : {}
}

/** Tokens travel in query strings. */
function withoutQueries(text: string): string {
  return text.replace(/(https?:\/\/[^\s"'?#]*)\?[^\s"']*/g, '$1?…')
}
