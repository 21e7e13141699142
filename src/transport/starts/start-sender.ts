import { randomUUID } from 'node:crypto';
import { PayloadStoreError, QueueNotFoundError, SqsRequestError } from '../../errors.ts';
import type { PayloadStore } from '../../payloads/payload-store.ts';
import { startMessage } from '../../payloads/start-message.ts';
import { PendingCount } from '../../sqs/pending-count.ts';
import type { QueueDirectory } from '../../sqs/queue-directory.ts';
import { DISPATCH_BACKOFF, retry } from '../../sqs/retry.ts';
import type { Sender } from '../../sqs/sender.ts';
import type { OutgoingMessage } from '../../sqs/sqs-api.ts';
import type { Timing } from '../../time.ts';
import { checkedStart, type StartRun } from '../../wire/start-run.ts';

export interface StartSenderOptions {
  readonly sender: Sender;
  readonly queues: QueueDirectory;
  readonly payloadStore?: PayloadStore | undefined;
  readonly timeoutMs: number;
  readonly timing: Timing;
}

/** Sends starts from a process that has a transport. */
export class StartSender {
  readonly #options: StartSenderOptions;
  readonly #underWay = new PendingCount();

  constructor(options: StartSenderOptions) {
    this.#options = options;
  }

  /** Resolves when no start is under way. */
  idle(): Promise<void> {
    return this.#underWay.idle();
  }

  /** Resolves once SQS has accepted the start. A run without an id gets one here: the message may be sent twice. */
  async send(start: StartRun): Promise<void> {
    const { payloadStore, timing, timeoutMs } = this.#options;
    this.#underWay.begin();
    try {
      const named = { ...checkedStart(start), runId: start.runId ?? randomUUID() };
      let message: OutgoingMessage | undefined;
      const send = async () => {
        message ??= await startMessage(named, payloadStore);
        await this.#send(message);
      };
      await retry(send, {
        backoff: DISPATCH_BACKOFF,
        timing,
        timeoutMs,
        isTransient: (error) => (error instanceof SqsRequestError || error instanceof PayloadStoreError) && error.transient,
      });
    } finally {
      this.#underWay.end();
    }
  }

  async #send(message: OutgoingMessage): Promise<void> {
    const { sender, queues } = this.#options;
    const queueUrl = await queues.startRunQueueUrl();
    try {
      await sender.send(queueUrl, message);
    } catch (error) {
      if (error instanceof QueueNotFoundError) queues.forget(queueUrl);
      throw error;
    }
  }
}
