import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import { sanitizeQueueToken, tenantGroup } from '@dudousxd/nestjs-durable-core';
import { aClientConfig, anInteger, aString, checkRequiredOptions, type OptionRule } from '../options.ts';
import { sqsApi } from '../sqs/api-calls.ts';
import { openSqs } from '../sqs/open-sqs.ts';
import { QueueDirectory } from '../sqs/queue-directory.ts';
import { type FifoOption, fifoQueues, fifoRule } from '../topology/fifo-queues.ts';
import { prefixOf } from '../topology/prefix-setting.ts';

export interface CreateQueuesOptions {
  readonly clientConfig: SQSClientConfig;
  /** Names of the steps that get a tasks queue. */
  readonly steps: readonly string[];
  /** As in the engine's `SqsTransport`. @default `DURABLE_PREFIX`, else 'durable' */
  readonly prefix?: string | undefined;
  readonly namespace?: string | undefined;
  /** Partition of the steps. @default none */
  readonly partition?: string | undefined;
  /** The functions' timeout; a tasks queue hides a message for six times as long. @default 3, as Lambda's */
  readonly functionTimeoutSeconds?: number | undefined;
  /** FIFO queues: all, or only the tasks queues or the results queue. @default false */
  readonly fifo?: FifoOption | undefined;
}

export interface CreatedQueues {
  readonly resultsQueueUrl: string;
  /** By step name. */
  readonly tasksQueueUrls: ReadonlyMap<string, string>;
}

const OWNER = 'createQueues';

const RULES: Readonly<Record<keyof CreateQueuesOptions, OptionRule>> = {
  clientConfig: aClientConfig,
  steps: { expected: 'a list of step names', accepts: (value) => Array.isArray(value) && value.every(aString.accepts) },
  prefix: aString,
  namespace: aString,
  partition: aString,
  functionTimeoutSeconds: anInteger(1, 900),
  fifo: fifoRule,
};

/**
 * Makes the queues of some steps, with their dead-letter queues and the names and attributes they have on AWS; finds
 * those that exist.
 * @throws ConfigurationError, SqsRequestError
 */
export async function createQueues(options: CreateQueuesOptions): Promise<CreatedQueues> {
  checkRequiredOptions(OWNER, options, RULES, ['clientConfig', 'steps']);
  const { clientConfig, steps, prefix, namespace, partition, functionTimeoutSeconds = 3, fifo } = options;
  const sqs = openSqs({ clientConfig });
  const queues = new QueueDirectory({
    api: sqsApi(sqs),
    prefix: prefixOf({ prefix, namespace }, process.env),
    autoCreate: true,
    stepTimeoutSeconds: functionTimeoutSeconds,
    fifo: fifoQueues(fifo),
  });
  try {
    const tasks = steps.map(async (step) => [step, await queues.tasksQueueUrl(tenantGroup(sanitizeQueueToken(step), partition))] as const);
    return { resultsQueueUrl: await queues.resultsQueueUrl(), tasksQueueUrls: new Map(await Promise.all(tasks)) };
  } finally {
    sqs.destroy();
  }
}
