import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { defaultLogger, safeLogger } from '../logger.ts';
import type { AnyResult } from '../step/task-format.ts';
import { monotonicMs } from '../time.ts';
import { batchHandler, type SqsBatchHandler } from './batch-handler.ts';
import { TEST_QUEUES } from './handler-marks.ts';
import { SendTimes, StepTimes } from './measured-times.ts';
import { isReplay, printingQueues, replayOf, showsThrown, storesNothing } from './replay.ts';
import type { ChannelOptions } from './step-handler-options.ts';
import { type BatchWorker, TaskBatch } from './task-batch.ts';
import { UnsentResults } from './unsent-results.ts';
import { type SqsQueuesOptions, sqsQueues, type WorkerQueues } from './worker-queues.ts';

interface ContextOfTest extends Context {
  readonly [TEST_QUEUES]?: WorkerQueues;
}

/** What makes a handler of one kind of task: the rest of its worker is the same for all. */
export interface TaskHandlerOptions<Task, Result extends AnyResult>
  extends Pick<BatchWorker<Task, Result>, 'format' | 'runner' | 'leaves' | 'onDeadline'> {
  /** Of the steps or workflows that it serves. */
  readonly names: readonly string[];
  readonly options: Omit<ChannelOptions, 'concurrency'> &
    SqsQueuesOptions & { readonly concurrency: number; readonly deadlineReserveMs?: number; readonly metrics?: boolean };
}

/** What a handler of tasks carries under its mark, for tests and commands. */
export interface TaskHandlerInternals {
  /** Of the steps or workflows that it serves. */
  readonly names: readonly string[];
  /** The message attribute without which a record is left alone. */
  readonly marker: string | undefined;
  /** An invocation whose results go somewhere else than to SQS. */
  invoke(event: SQSEvent, context: Context, queues: WorkerQueues): Promise<SQSBatchResponse>;
}

export interface TaskHandler {
  readonly handler: SqsBatchHandler;
  readonly internals: TaskHandlerInternals;
}

/** A Lambda handler for tasks of one kind. */
export function taskHandler<Task, Result extends AnyResult>(given: TaskHandlerOptions<Task, Result>): TaskHandler {
  const { options, names, ...kind } = given;
  const { concurrency, marker, payloadStore, deadlineReserveMs } = options;
  const logger = safeLogger(options.logger ?? defaultLogger());
  const prints = replayOf(process.env) === 'print';
  const sendTimes = new SendTimes();
  const worker: BatchWorker<Task, Result> = {
    ...kind,
    concurrency,
    marker,
    payloadStore: prints && payloadStore !== undefined ? storesNothing(payloadStore) : payloadStore,
    logger,
    sendTimes,
    stepTimes: new StepTimes(names),
    unsent: new UnsentResults(),
  };
  const loading = writesMetrics(options.metrics, process.env) ? import('./metrics.ts') : undefined;
  const queues = prints ? printingQueues() : sqsQueues(options);
  const { handler, invoke } = batchHandler<WorkerQueues>(
    {
      logger,
      rejectsFailures: isReplay(process.env),
      reserveMs: (availableMs, records) => sendTimes.reserveMs(availableMs, Math.min(records, concurrency), deadlineReserveMs),
      async run(records, invocation, over) {
        const metrics = loading && new (await loading).InvocationMetrics(invocation.lambda, names, monotonicMs());
        await new TaskBatch(records, invocation, over, worker, metrics).handle();
      },
    },
    (context: ContextOfTest) => context?.[TEST_QUEUES] ?? queues,
  );
  return { handler, internals: { names, marker, invoke } };
}

/** At a terminal nobody reads them, and `sls invoke local` prints results there. */
function writesMetrics(option: boolean | undefined, env: NodeJS.ProcessEnv): boolean {
  return (option ?? env['DURABLE_METRICS'] === 'true') && !showsThrown(env);
}
