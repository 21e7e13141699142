import { setImmediate } from 'node:timers';
import { errorFields, type LogFields, type Logger } from '../logger.ts';
import { readableError } from '../step/readable-error.ts';

const EVENT = 'unhandledRejection';

/** Of each invocation that is ending; most runtimes have one at a time. */
const ending = new Set<(reason: unknown) => void>();
/** Whoever listened before: the runtime of nodejs22.x, which fails the invocation and ends the process. */
let setAside: readonly NodeJS.UnhandledRejectionListener[] = [];

/**
 * Keeps the process alive when a promise is rejected that nobody awaits; it is logged instead. Gives what ends that.
 *
 * For the time between the abort of the steps' signal and the invocation's answer. A step that has begun two things under that signal and
 * awaits the first leaves the second alone when both are aborted, and Node ends a process for that: with it the answer, so that every
 * record of the batch would run again, and those that ran out of time would do the same again until their receives are used up.
 */
export function outliveStrayRejections(logger: Logger, fields: LogFields): () => void {
  const log = (reason: unknown) => {
    logger.error('a promise that no step awaits was rejected after the deadline', { ...fields, ...errorFields(readableError(reason)) });
  };
  if (ending.size === 0) {
    setAside = process.listeners(EVENT);
    process.removeAllListeners(EVENT);
    process.on(EVENT, logStray);
  }
  ending.add(log);
  const letGo = () => {
    ending.delete(log);
    if (ending.size > 0) return;
    process.off(EVENT, logStray);
    for (const listener of setAside) process.on(EVENT, listener);
  };
  // Node looks for such promises when a turn of the event loop ends, which may be the one in which the invocation does.
  return () => void setImmediate(letGo);
}

/** Nothing tells whose promise it was. */
function logStray(reason: unknown): void {
  const [log] = ending;
  log?.(reason);
}
