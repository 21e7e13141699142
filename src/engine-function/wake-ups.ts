import type { StepCheckpoint } from '@dudousxd/nestjs-durable-core';
import { QueueNotFoundError, SqsRequestError } from '../errors.ts';
import { errorFields, type Logger } from '../logger.ts';
import { retry, WAKE_UP_RETRIES } from '../sqs/retry.ts';
import type { Sender } from '../sqs/sender.ts';
import type { ResultSender } from '../sqs/sqs-api.ts';
import type { Timing } from '../time.ts';
import { wakeUpsQueueName } from '../topology/queue-names.ts';
import { encodeWakeUp } from '../wire/wake-up.ts';
import { OpenWork } from './open-work.ts';

/** The longest that SQS delays a message. */
export const MAX_DELAY_SECONDS = 900;

export interface WakeUpsOptions {
  readonly api: Pick<ResultSender, 'findQueueUrl' | 'region'>;
  readonly sender: Sender;
  readonly prefix: string;
  readonly onFailure: (error: unknown, queueUrl: string | undefined) => void;
  readonly logger: Logger;
  readonly timing: Timing;
}

/**
 * Sends one delayed message for each wait of a run that ends within 15 minutes. What is longer, and what is lost, the
 * tick wakes.
 *
 * The engine records a wait in a checkpoint, once, at its beginning: a sleep, the deadline of a signal, the pause
 * before a retry. A turn that finds it again writes nothing, so it costs no second message. `wakeAt` of the run itself
 * says less: it is written at the end of every turn, and where nothing else wakes a run it is the engine's own
 * `reconcileMs`.
 */
export class WakeUps {
  readonly #options: WakeUpsOptions;
  #queueUrl: Promise<string> | undefined;
  #isFailing = false;

  constructor(options: WakeUpsOptions) {
    this.#options = options;
  }

  /**
   * The store has a checkpoint. What is sent for it is part of the work that has saved it; nobody waits for that but
   * its end.
   */
  readonly saved = (checkpoint: StepCheckpoint): void => {
    const delaySeconds = delayOf(checkpoint, Date.now());
    if (delaySeconds === undefined || checkpoint.wakeAt === undefined) return;
    const body = encodeWakeUp(checkpoint.runId, checkpoint.wakeAt);
    void OpenWork.sent(() => this.#send(body, delaySeconds, checkpoint.runId));
  };

  async #send(body: string, delaySeconds: number, runId: string): Promise<void> {
    const { sender, timing, logger, onFailure } = this.#options;
    try {
      const send = async () => sender.send(await this.#url(), { body, delaySeconds });
      const isTransient = (error: unknown) => error instanceof SqsRequestError && error.transient;
      await retry(send, { ...WAKE_UP_RETRIES, timing, isTransient });
      this.#isFailing = false;
    } catch (error) {
      onFailure(error, undefined);
      // Once: where the queue is missing, every wait would say so.
      if (!this.#isFailing) logger.warn('a wake-up could not be sent; the tick wakes its run', { runId, ...errorFields(error) });
      this.#isFailing = true;
    }
  }

  #url(): Promise<string> {
    this.#queueUrl ??= this.#find().catch((error: unknown) => {
      this.#queueUrl = undefined;
      throw error;
    });
    return this.#queueUrl;
  }

  async #find(): Promise<string> {
    const { api, prefix } = this.#options;
    const name = wakeUpsQueueName(prefix);
    const url = await api.findQueueUrl(name);
    if (url === undefined) throw new QueueNotFoundError(name, await api.region());
    return url;
  }
}

/**
 * How long the message for a checkpoint is delayed. Undefined where none is sent: it records no wait, or one that is
 * over or too long. A remote step waits after a failure. What it keeps in `wakeAt` otherwise is when its task is sent
 * once more (`remoteRedispatchMs`), which is no hurry.
 */
function delayOf({ kind, status, wakeAt }: StepCheckpoint, now: number): number | undefined {
  if (wakeAt === undefined || (kind === 'remote' && status !== 'failed')) return undefined;
  // Rounded up: a turn that begins too early finds that the wait is not over, and then nothing is left to end it.
  const delaySeconds = Math.ceil((wakeAt - now) / 1000);
  return delaySeconds < 0 || delaySeconds > MAX_DELAY_SECONDS ? undefined : delaySeconds;
}
