import type { LogFields, Logger } from '../logger.ts';

/** A logger whose failures stay its own: a line that cannot be written must not fail a dispatch, and with it a run, or end a loop. */
export function safeLogger(logger: Logger): Logger {
  const safely = (level: keyof Logger) => (message: string, fields: LogFields) => {
    try {
      logger[level](message, fields);
    } catch {
      // There is nobody left to tell.
    }
  };
  return { debug: safely('debug'), info: safely('info'), warn: safely('warn'), error: safely('error') };
}
