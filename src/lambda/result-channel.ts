import type { SQSClient, SQSClientConfig } from '@aws-sdk/client-sqs';
import { QueueNotFoundError, SqsRequestError } from '../errors.ts';
import { resultsQueueName } from '../naming/queue-names.ts';
import { retry, systemTiming, type Timing } from '../sqs/backoff.ts';
import { Sender } from '../sqs/sender.ts';
import type { OutgoingMessage, ResultSender } from '../sqs/sqs-api.ts';
import { openSender, prepareSender } from './open-sender.ts';

/** Where a worker's results go. */
export interface ResultChannel {
  /** Resolves once the result is safe with SQS. Rejects when it was not accepted after retries, in `timeLeftMs` at most. */
  send(message: OutgoingMessage, timeLeftMs: number): Promise<void>;
}

export interface ResultChannelOptions {
  readonly prefix: string;
  readonly resultsQueueUrl?: string | undefined;
  readonly client?: SQSClient | undefined;
  readonly clientConfig?: SQSClientConfig | undefined;
  /** Opens SQS; a parameter so that tests need no network. */
  readonly open?: (options: Pick<ResultChannelOptions, 'client' | 'clientConfig'>) => Promise<ResultSender>;
  readonly timing?: Timing;
}

const BACKOFF = { firstMs: 50, maxMs: 1_000 };
/** A sender has retried each request for a second or two before an error arrives here; this bridges what outlasts that. */
const RETRY_FOR_MS = 5_000;

/** Sends results to the results queue of SQS. Nothing is opened before the first result. */
export function sqsResultChannel(options: ResultChannelOptions): ResultChannel {
  const { open = openSender, timing = systemTiming } = options;
  prepareSender(options);
  const api = once(() => open(options));
  const sender = once(async () => new Sender(await api()));
  const queueUrl = once(async () => options.resultsQueueUrl ?? findResultsQueue(await api(), options.prefix));

  return {
    async send(message, timeLeftMs) {
      await retry(async () => (await sender()).send(await queueUrl(), message), {
        backoff: BACKOFF,
        timing,
        timeoutMs: Math.min(RETRY_FOR_MS, timeLeftMs / 2),
        passes: (error) => error instanceof SqsRequestError && error.passing,
      });
    },
  };
}

/** Codes of refusals that are about what is in one message, whichever queue, role or time. */
const ABOUT_ONE_MESSAGE: ReadonlySet<string> = new Set(['InvalidMessageContents', 'BatchRequestTooLong']);

/** Whether a send failed for the message itself: then other results are still worth computing. */
export function refusesOnlyThisMessage(error: unknown): boolean {
  return error instanceof SqsRequestError && !error.passing && ABOUT_ONE_MESSAGE.has(error.sqsCode);
}

async function findResultsQueue(api: ResultSender, prefix: string): Promise<string> {
  const name = resultsQueueName(prefix);
  const url = await api.findQueueUrl(name);
  if (url === undefined) throw new QueueNotFoundError(name, await api.region());
  return url;
}

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
