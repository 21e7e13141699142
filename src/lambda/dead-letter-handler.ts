import { defaultLogger, safeLogger } from '../logger.ts';
import { checkOptions } from '../options.ts';
import { batchHandler, type SqsBatchHandler } from './batch-handler.ts';
import { DeadLetters } from './dead-letters.ts';
import { DEAD_LETTER_HANDLER } from './handler-marks.ts';
import { isReplay, printingQueues, replayOf } from './replay.ts';
import { CHANNEL_RULES, type ChannelOptions, channelOptions } from './step-handler-options.ts';
import { type SqsQueues, sqsQueues } from './worker-queues.ts';

/** Options of `sqsDeadLetterHandler`. Each may be left out. */
export type DeadLetterHandlerOptions = ChannelOptions;

/** A Lambda handler for dead-letter queues, and a middy. */
export interface SqsDeadLetterHandler extends SqsBatchHandler {}

const WHERE = 'sqsDeadLetterHandler';

/**
 * A Lambda function for the dead-letter queues of tasks: one for all of a service.
 *
 * ```ts
 * export const handler = sqsDeadLetterHandler();
 * ```
 *
 * A task whose receive count is used up is first parked, in `<prefix>-parked-<step>`, with all its attributes and a
 * note (`durable-parked`); then the engine is told by a failed result, `dead_letter`, retryable, since nobody knows
 * whether the step ran. What is no task is parked too, and nobody is told.
 *
 * @throws ConfigurationError at module load, for an option or environment variable that is unknown or of the wrong
 * type.
 */
export function sqsDeadLetterHandler(options: DeadLetterHandlerOptions = {}): SqsDeadLetterHandler {
  checkOptions(WHERE, options, CHANNEL_RULES);
  const { concurrency, prefix, resultsQueueUrl } = channelOptions(WHERE, options, process.env);
  const prints = replayOf(process.env) === 'print';
  const { client, clientConfig } = options;
  const queues = prints ? printingQueues() : sqsQueues({ prefix, resultsQueueUrl, client, clientConfig });
  return deadLetterHandler({ ...options, concurrency }, queues, isReplay(process.env));
}

/** The handler over any queues. */
export function deadLetterHandler(
  { concurrency = 10, marker, payloadStore, logger: given }: DeadLetterHandlerOptions,
  queues: SqsQueues,
  replays = false,
): SqsDeadLetterHandler {
  const logger = safeLogger(given ?? defaultLogger());
  const deadLetters = new DeadLetters({ concurrency, marker, payloadStore, logger });
  const { handler } = batchHandler<SqsQueues>(
    {
      logger,
      rejectsFailures: replays,
      reserveMs: (availableMs) => deadLetters.reserveMs(availableMs),
      run: (records, invocation, over) => deadLetters.run(records, invocation, over),
    },
    () => queues,
  );
  return Object.assign(handler, { [DEAD_LETTER_HANDLER]: true as const });
}
