import { setImmediate } from 'node:timers';
import { errorFields, type LogFields, type Logger } from '../logger.ts';
import { readableError } from '../step/readable-error.ts';

const REJECTION = 'unhandledRejection';
const EXCEPTION = 'uncaughtException';

/** Of each invocation that is ending; most runtimes have one at a time. */
const ending = new Set<(message: string, error: unknown) => void>();
/** Whoever listened before: the runtime, which fails the invocation and ends the process. */
let setAside: readonly { readonly event: string; readonly listener: unknown }[] = [];

/**
 * Keeps the process alive when a promise is rejected that nobody awaits, or something is thrown that nobody catches; it
 * is logged instead. Gives what ends that.
 *
 * For the time between the abort of the steps' signal and the invocation's answer. A step that has begun two things
 * under that signal and awaits the first leaves the second alone when both are aborted; a child process or stream that
 * was given the signal emits an `error`, and where the step does not listen Node throws it. Node ends a process for
 * either: with it the answer, so that every record of the batch would run again, and those that ran out of time would
 * do the same again until their receives are used up.
 */
export function outliveStrayErrors(logger: Logger, fields: LogFields): () => void {
  const log = (message: string, error: unknown) => logger.error(message, { ...fields, ...errorFields(readableError(error)) });
  if (ending.size === 0) {
    // Raw, as they were added: without its wrapper, a listener that was added by `once` would come back for good.
    setAside = [REJECTION, EXCEPTION].flatMap((event) => process.rawListeners(event).map((listener) => ({ event, listener })));
    process.removeAllListeners(REJECTION);
    process.removeAllListeners(EXCEPTION);
    process.on(REJECTION, logRejection);
    process.on(EXCEPTION, logException);
  }
  ending.add(log);
  const letGo = () => {
    ending.delete(log);
    if (ending.size > 0) return;
    process.off(REJECTION, logRejection);
    process.off(EXCEPTION, logException);
    for (const { event, listener } of setAside) Reflect.apply(process.on, process, [event, listener]);
  };
  // Node looks for such promises when a turn of the event loop ends, which may be the one in which the invocation does.
  return () => void setImmediate(letGo);
}

function logRejection(reason: unknown): void {
  logStray('a promise that no step awaits was rejected after the deadline', reason);
}

function logException(error: unknown): void {
  logStray('an error that no step catches was thrown after the deadline', error);
}

/** Nothing tells whose it was. */
function logStray(message: string, error: unknown): void {
  const [log] = ending;
  log?.(message, error);
}
