import type { SQSClient, SQSClientConfig } from '@aws-sdk/client-sqs';
import { QueueNotFoundError, SqsRequestError } from '../errors.ts';
import { retry } from '../sqs/retry.ts';
import { Sender } from '../sqs/sender.ts';
import type { OutgoingMessage, ResultSender } from '../sqs/sqs-api.ts';
import { systemTiming, type Timing } from '../time.ts';
import { messageGroupOfRun } from '../topology/message-group.ts';
import { resultsQueueName } from '../topology/queue-names.ts';
import { openSender, prepareSender } from './open-sender.ts';

/** Where a worker's results go. */
export interface ResultChannel {
  /**
   * Resolves once the result is safe with SQS. Rejects when it was not accepted after retries, in `timeLeftMs` at most.
   * @param runId whose result it is: on a FIFO results queue, its message group
   */
  send(message: OutgoingMessage, timeLeftMs: number, runId?: string): Promise<void>;
  /** Makes messages visible again at once; at most ten. Gives how many are not. Absent where records come from no queue. */
  giveBack?(queueUrl: string, receiptHandles: readonly string[]): Promise<number>;
}

/** {@link ResultChannel} on SQS, and the way to queues that are known by name. */
export interface SqsChannel extends ResultChannel {
  /** Sends to another queue, looked up once. @throws QueueNotFoundError where none of these names is a queue */
  sendTo(queueNames: readonly string[], message: OutgoingMessage, timeLeftMs: number): Promise<void>;
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
export function sqsResultChannel(options: ResultChannelOptions): SqsChannel {
  const { open = openSender, timing = systemTiming } = options;
  prepareSender(options);
  const api = once(() => open(options));
  const sender = once(async () => new Sender(await api()));
  const queueUrl = once(async () => options.resultsQueueUrl ?? findQueue(await api(), resultsQueueNames(options.prefix)));
  const otherQueueUrls = new Map<string, Once<string>>();

  const send = (url: Once<string>, message: (queueUrl: string) => OutgoingMessage, timeLeftMs: number) =>
    retry(
      async () => {
        const to = await url();
        try {
          await (await sender()).send(to, message(to));
        } catch (error) {
          // Deleted since it was found; the next send looks for the one that has taken its place.
          if (error instanceof QueueNotFoundError) url.forget();
          throw error;
        }
      },
      {
        backoff: BACKOFF,
        timing,
        timeoutMs: Math.min(RETRY_FOR_MS, timeLeftMs / 2),
        isTransient: (error) => error instanceof SqsRequestError && error.transient,
      },
    );

  return {
    async send(message, timeLeftMs, runId) {
      // Once for all tries: SQS drops a second copy of what it has accepted without our knowing.
      let inGroup: OutgoingMessage | undefined;
      const forQueue = (to: string) => {
        if (runId === undefined || !to.endsWith('.fifo')) return message;
        inGroup ??= { ...message, groupId: messageGroupOfRun(runId), deduplicationId: crypto.randomUUID() };
        return inGroup;
      };
      await send(queueUrl, forQueue, timeLeftMs);
    },

    async sendTo(queueNames, message, timeLeftMs) {
      const key = queueNames.join(' ');
      const url = otherQueueUrls.get(key) ?? once(async () => findQueue(await api(), queueNames));
      otherQueueUrls.set(key, url);
      await send(url, () => message, timeLeftMs);
    },

    async giveBack(url, receiptHandles) {
      const changes = receiptHandles.map((receiptHandle) => ({ receiptHandle, timeoutSeconds: 0 }));
      return (await (await api()).changeVisibility(url, changes)).filter(({ ok }) => !ok).length;
    },
  };
}

/** Codes of refusals that are about what is in one message, whichever queue, role or time. */
const ABOUT_ONE_MESSAGE: ReadonlySet<string> = new Set(['InvalidMessageContents', 'BatchRequestTooLong']);

/** Whether a send failed for the message itself: then other results are still worth computing. */
export function refusesOnlyThisMessage(error: unknown): boolean {
  return error instanceof SqsRequestError && !error.transient && ABOUT_ONE_MESSAGE.has(error.sqsCode);
}

/** A queue's name says whether it is FIFO; the worker is not told which one its engine reads. */
function resultsQueueNames(prefix: string): readonly string[] {
  return [resultsQueueName(prefix), resultsQueueName(prefix, { fifo: true })];
}

/** The first of these queues that there is. */
async function findQueue(api: ResultSender, names: readonly string[]): Promise<string> {
  for (const name of names) {
    const url = await api.findQueueUrl(name);
    if (url !== undefined) return url;
  }
  throw new QueueNotFoundError(names[0] ?? '', await api.region());
}

/** What {@link once} gives. */
interface Once<T> {
  (): Promise<T>;
  /** The next call calls anew. */
  forget(): void;
}

/** Calls once and shares the promise; a failure is forgotten, so that the next call tries again. */
function once<T>(call: () => Promise<T>): Once<T> {
  let promise: Promise<T> | undefined;
  const shared = () => {
    if (promise === undefined) {
      const started = call();
      promise = started;
      started.catch(() => {
        if (promise === started) promise = undefined;
      });
    }
    return promise;
  };
  const forget = () => {
    promise = undefined;
  };
  return Object.assign(shared, { forget });
}
