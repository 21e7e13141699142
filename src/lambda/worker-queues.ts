import type { SQSClient, SQSClientConfig } from '@aws-sdk/client-sqs';
import { PayloadStoreError, QueueNotFoundError, SqsRequestError } from '../errors.ts';
import { LAMBDA_RESULT_RETRIES, type RetryOptions } from '../sqs/retry.ts';
import { Sender } from '../sqs/sender.ts';
import type { ResultSender } from '../sqs/sqs-api.ts';
import type { ResultsQueue } from '../step/in-flight-task.ts';
import { systemTiming, type Timing } from '../time.ts';
import { resultsQueueName } from '../topology/queue-names.ts';
import { openSender, prepareSender } from './open-sender.ts';

/** The queues of a Lambda worker: where its results go, and where its records come from. */
export interface WorkerQueues extends ResultsQueue {
  /** How long, and after which errors, a send is tried again. @param timeLeftMs until the invocation is killed */
  retries(timeLeftMs: number): RetryOptions;
  /** Releases messages at once; at most ten. Gives how many were not. Absent where records come from no queue. */
  release?(queueUrl: string, receiptHandles: readonly string[]): Promise<number>;
}

/** {@link WorkerQueues} on SQS, and queues that are known by name. */
export interface SqsQueues extends WorkerQueues {
  /**
   * URL of the first of these queues that there is. Looked up once.
   * @throws QueueNotFoundError where there is none
   */
  urlOf(queueNames: readonly string[]): Promise<string>;
}

export interface SqsQueuesOptions {
  readonly prefix: string;
  readonly resultsQueueUrl?: string | undefined;
  readonly client?: SQSClient | undefined;
  readonly clientConfig?: SQSClientConfig | undefined;
  /** Opens SQS; a parameter so that tests need no network. */
  readonly open?: (options: Pick<SqsQueuesOptions, 'client' | 'clientConfig'>) => Promise<ResultSender>;
  readonly timing?: Timing;
}

/** The queues of a worker on SQS. Nothing is opened before the first result. */
export function sqsQueues(options: SqsQueuesOptions): SqsQueues {
  const { open = openSender, timing = systemTiming, prefix, resultsQueueUrl } = options;
  prepareSender(options);
  const api = once(() => open(options));
  const sender = once(async () => new Sender(await api()));
  /** By the names that were asked for. */
  const urls = new Map<string, () => Promise<string>>();

  const urlOf = (names: readonly string[]) => {
    const key = names.join(' ');
    let url = urls.get(key);
    if (url === undefined) {
      url = once(async () => findQueue(await api(), names));
      urls.set(key, url);
    }
    return url();
  };

  return {
    // A queue's name says whether it is FIFO; the worker is not told which one its engine reads.
    url: () => resultsQueueUrl ?? urlOf([resultsQueueName(prefix), resultsQueueName(prefix, { fifo: true })]),
    urlOf,
    async send(queueUrl, message) {
      try {
        await (await sender()).send(queueUrl, message);
      } catch (error) {
        // Deleted since it was found: the next send looks for the one that has taken its place.
        if (error instanceof QueueNotFoundError) urls.clear();
        throw error;
      }
    },
    retries: (timeLeftMs) => ({
      backoff: LAMBDA_RESULT_RETRIES.backoff,
      timing,
      timeoutMs: Math.min(LAMBDA_RESULT_RETRIES.timeoutMs, timeLeftMs / 2),
      isTransient: (error) => (error instanceof SqsRequestError || error instanceof PayloadStoreError) && error.transient,
    }),
    async release(queueUrl, receiptHandles) {
      const changes = receiptHandles.map((receiptHandle) => ({ receiptHandle, timeoutSeconds: 0 }));
      return (await (await api()).changeVisibility(queueUrl, changes)).filter(({ ok }) => !ok).length;
    },
  };
}

async function findQueue(api: ResultSender, names: readonly string[]): Promise<string> {
  for (const name of names) {
    const url = await api.findQueueUrl(name);
    if (url !== undefined) return url;
  }
  throw new QueueNotFoundError(names[0] ?? '', await api.region());
}

/** Where each send is tried once: it cannot fail, or is to fail at once. */
export const NO_RETRIES: RetryOptions = {
  ...LAMBDA_RESULT_RETRIES,
  timing: systemTiming,
  timeoutMs: 0,
  isTransient: () => false,
};

/** Calls once and shares the promise; a failure is forgotten, so that the next call tries again. */
function once<T>(call: () => Promise<T>): () => Promise<T> {
  let promise: Promise<T> | undefined;
  return () => {
    if (promise === undefined) {
      const started = call();
      promise = started;
      started.catch(() => {
        if (promise === started) promise = undefined;
      });
    }
    return promise;
  };
}
