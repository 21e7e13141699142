import { setImmediate } from 'node:timers';
import { errorFields, type LogFields, type Logger } from '../logger.ts';
import { readableError } from '../step/readable-error.ts';

/** Of each invocation that is ending; most runtimes have one at a time. One listener for all: Node warns of more than ten. */
const ending = new Set<(reason: unknown) => void>();

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
  if (ending.size === 0) process.on('unhandledRejection', logStray);
  ending.add(log);
  const letGo = () => {
    ending.delete(log);
    if (ending.size === 0) process.off('unhandledRejection', logStray);
  };
  // Node looks for such promises when a turn of the event loop ends, which may be the one in which the invocation does.
  return () => void setImmediate(letGo);
}

/** Nothing tells whose promise it was. */
function logStray(reason: unknown): void {
  const [log] = ending;
  log?.(reason);
}
