import { GetQueueAttributesCommand, SetQueueAttributesCommand, type SQSClient, type SQSClientConfig } from '@aws-sdk/client-sqs';
import { type CreatedQueues, createQueues, LocalEventSourceMapping } from '../../src/local/index.ts';
import { isRecord } from '../../src/wire/shape.ts';
import { silentLogger } from '../support/local-cloud.ts';
import { type FleetOptions, LambdaFleet } from './lambda-fleet.ts';
import type { Workload } from './workloads.ts';

/** Its tasks are in FIFO queues where results are. */
const FIFO_STEP = 'faults.work';
export const TASKS_VISIBILITY_SECONDS = 6;
const FUNCTION_TIMEOUT_MS = 5_000;
/**
 * Nobody answers for dead letters here. Where the machine is busy, functions run into their timeouts, and receives are
 * used up.
 */
const MAX_RECEIVE_COUNT = 1_000;
const MAPPINGS_PER_STEP = 2;
const KILL_RATE = 0.1;
const CUT_OFF_RATE = 0.04;

export interface WorkersOptions<Kind extends string> extends Pick<FleetOptions, 'clientConfig' | 'kill' | 'ledger' | 'random'> {
  readonly queues: CreatedQueues;
  /** Share of requests that go wrong. Where none do, no invocation does. */
  readonly rate: number;
  readonly workload: Workload<Kind>;
}

/** The functions of a workload's steps and workflows, and what invokes them, which is not started. */
export function makeWorkers<Kind extends string>(options: WorkersOptions<Kind>) {
  const { queues, clientConfig, kill, ledger, random, rate, workload } = options;
  const fleet = new LambdaFleet({
    resultsQueueUrl: queues.resultsQueueUrl,
    clientConfig,
    kill,
    ledger,
    random,
    killRate: rate === 0 ? 0 : KILL_RATE,
    cutOffRate: rate === 0 ? 0 : CUT_OFF_RATE,
    timeoutMs: FUNCTION_TIMEOUT_MS,
  });
  const handlers = new Map([...new Set(workload.functions.values())].map((serve) => [serve, fleet.function(serve)]));
  const mappings = [...workload.functions].flatMap(([functionName, serve]) =>
    Array.from({ length: MAPPINGS_PER_STEP }, (_, index) => {
      const config = clientConfig(`mapping${index}`);
      const timeoutMs = FUNCTION_TIMEOUT_MS * 2;
      return new LocalEventSourceMapping({
        clientConfig: config,
        queueUrl: queues.tasksQueueUrls.get(functionName) ?? '',
        handler: handlers.get(serve) ?? (() => undefined),
        functionName,
        timeoutMs,
        logger: silentLogger,
      });
    }),
  );
  return { fleet, mappings };
}

/** The queues of all steps; beside a FIFO results queue, the tasks of {@link FIFO_STEP} are FIFO too. */
export async function makeQueues(
  clientConfig: SQSClientConfig,
  prefix: string,
  names: readonly string[],
  fifoResults: boolean,
): Promise<CreatedQueues> {
  const steps = names.filter((step) => !fifoResults || step !== FIFO_STEP);
  const queues = await createQueues({ clientConfig, steps, prefix, fifo: { results: fifoResults } });
  if (!fifoResults) return queues;
  const inOrder = await createQueues({ clientConfig, steps: [FIFO_STEP], prefix, fifo: true });
  return { ...queues, tasksQueueUrls: new Map([...queues.tasksQueueUrls, ...inOrder.tasksQueueUrls]) };
}

export async function prepareTasksQueue(client: SQSClient, QueueUrl: string): Promise<void> {
  const { Attributes } = await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['RedrivePolicy'] }));
  const policy: unknown = JSON.parse(Attributes?.RedrivePolicy ?? '{}');
  const RedrivePolicy = JSON.stringify({ ...(isRecord(policy) ? policy : {}), maxReceiveCount: MAX_RECEIVE_COUNT });
  const VisibilityTimeout = String(TASKS_VISIBILITY_SECONDS);
  await client.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { VisibilityTimeout, RedrivePolicy } }));
}
