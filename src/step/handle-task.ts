import { errorFields, writes } from '../logger.ts';
import type { OutgoingMessage } from '../sqs/sqs-api.ts';
import type { InFlightTask } from './in-flight-task.ts';
import { type ReadTask, readTask } from './read-task.ts';
import { encodeAnswer, payloadFailure, sendAnswer } from './send-answer.ts';
import type { AnyResult, TaskIds } from './task-format.ts';

/**
 * What became of a message. SQS has to deliver it again for each but `answered`.
 *
 * - `answered`: SQS has accepted its result
 * - `unmarked`: it belongs to another consumer of the queue
 * - `unreadable`: nobody will ever read it; its receives bring it to the dead-letter queue
 * - `unavailable`: its stored body cannot be had now
 * - `not served`: this worker cannot run it, and another version of it may
 * - `not started`: its host lets no task begin now
 * - `stopped`: its host stopped the task, which is to run again
 * - `not sent`: SQS did not accept its result; `InFlightTask.error` says why
 */
export type Outcome = 'answered' | 'unmarked' | 'unreadable' | 'unavailable' | 'not served' | 'not started' | 'stopped' | 'not sent';

/** From this receive on an unmarked message is worth a warning: its own consumer does not come for it. */
const UNMARKED_WARNING_RECEIVES = 3;

/**
 * Takes a message from its body to the result that SQS has accepted: reads, runs, encodes, stores, sends, and logs
 * each. The same for every host; what becomes of the message by the outcome is up to its host. Never rejects.
 */
export async function handleTask<Task, Result extends AnyResult>(inFlight: InFlightTask<Task, Result>): Promise<Outcome> {
  const { host, message } = inFlight;
  const { format } = host;
  const reading = readTask(message, format, host.payloadStore);
  const read = reading instanceof Promise ? await reading : reading;
  let ids: TaskIds;
  if (read.kind === 'task') {
    ids = format.idsOf(read.task);
    inFlight.task = read.task;
    inFlight.body = read.body;
    const reason = host.leaves?.(read.task);
    if (reason !== undefined) {
      inFlight.log('warn', `${format.noun} left to another worker; its task will be redelivered`, { reason });
      return 'not served';
    }
  } else if (read.kind === 'lost' && read.ids !== undefined) ids = read.ids;
  else return leave(read, inFlight);

  inFlight.ids = ids;
  if (!host.begins(inFlight)) return 'not started';
  if (read.kind === 'lost') {
    inFlight.log('error', `${UNREAD_BODY}; the ${format.noun} fails`, errorFields(read.error));
    inFlight.answer = encodeAnswer(format.failed(ids, payloadFailure('the task could not be read', read.error)), host).message;
  } else if (inFlight.answer !== undefined) {
    inFlight.log('info', `${format.noun} not run again: this process still has its result`);
  } else {
    inFlight.begin();
    const result = await host.run(read.task, inFlight);
    inFlight.end();
    if (inFlight.stopReason !== undefined && host.redelivers(result)) {
      const reason = inFlight.stopReason.message;
      inFlight.log('warn', `${format.noun} stopped before its end; its task will be redelivered`, { reason });
      return 'stopped';
    }
    inFlight.answer = answerWith(format.resultOf(read.task, result), inFlight);
  }
  try {
    await sendAnswer(inFlight.answer, ids, inFlight);
    return 'answered';
  } catch (error) {
    inFlight.error = error;
    inFlight.log('error', 'result not accepted by SQS; its task will be redelivered', errorFields(error));
    host.onError?.(error);
    return 'not sent';
  }
}

const UNREAD_BODY = 'the stored body of a task cannot be read';

/** Says why a message is not worked on. */
function leave<Task, Result extends AnyResult>(
  read: Exclude<ReadTask<Task>, { readonly kind: 'task' }>,
  inFlight: InFlightTask<Task, Result>,
): Outcome {
  const { host, message } = inFlight;
  if (read.kind === 'unmarked') {
    const level = message.receiveCount < UNMARKED_WARNING_RECEIVES ? 'debug' : 'warn';
    inFlight.log(level, 'message without the marker attribute left to the other consumer of its queue');
    return 'unmarked';
  }
  if (read.kind === 'unavailable') {
    inFlight.log('error', `${UNREAD_BODY} now; it will be redelivered`, errorFields(read.error));
    host.onError?.(read.error);
    return 'unavailable';
  }
  const [what, fields] =
    read.kind === 'lost' ? [UNREAD_BODY, errorFields(read.error)] : [`message is not a ${host.format.name}`, { problem: read.problem }];
  inFlight.log('error', `${what}; left for the dead-letter queue`, fields);
  return 'unreadable';
}

function answerWith<Task, Result extends AnyResult>(result: Result, inFlight: InFlightTask<Task, Result>): OutgoingMessage {
  const { message, encoded } = encodeAnswer(result, inFlight.host);
  const { dropped } = encoded;
  if (dropped.length > 0) inFlight.log('warn', 'result did not fit or could not be encoded', { dropped: dropped.join() });
  logEnd(encoded.result, inFlight);
  return message;
}

/** Notes and logs how a run has ended. */
function logEnd<Task, Result extends AnyResult>({ status, error }: Result, inFlight: InFlightTask<Task, Result>): void {
  const { format, logger } = inFlight.host;
  const failed = status === 'failed';
  inFlight.failed = failed;
  // There is such a line for every step, and mostly it is not kept: its fields alone would cost as much as encoding the
  // result.
  if (!failed && !writes(logger, 'info')) return;
  const { thrown, ranMs = 0 } = inFlight;
  const fields = { durationMs: Math.round(ranMs) };
  if (!failed) {
    inFlight.log('info', `${format.noun} completed`, fields);
    return;
  }
  inFlight.log('warn', `${format.noun} failed`, {
    ...fields,
    ...(thrown && errorFields(thrown)),
    ...(error?.code && { errorCode: error.code }),
    retryable: error?.retryable !== false,
  });
}
