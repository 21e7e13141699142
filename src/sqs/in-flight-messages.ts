import { SqsRequestError } from '../errors.ts';
import type { Timing } from '../time.ts';
import { isFifoQueue } from '../topology/fifo-queues.ts';
import { MAX_BATCH_ENTRIES } from '../wire/limits.ts';
import { Batcher } from './batcher.ts';
import { PendingCount } from './pending-count.ts';
import { retry, SETTLE_RETRIES } from './retry.ts';
import type { EntryOutcome, SqsApi, VisibilityChange } from './sqs-api.ts';

export interface InFlightOptions {
  readonly api: Pick<SqsApi, 'deleteMessages' | 'changeVisibility'>;
  readonly queueUrl: string;
  /** What each receive asked for; the visibility of a message that is kept hidden is extended by as much again. */
  readonly visibilityTimeoutSeconds: number;
  /** A delete or a visibility change was given up. Nothing is lost: SQS delivers the message again. */
  readonly onGivenUp: (error: unknown) => void;
  readonly timing: Timing;
  /**
   * How long a delete may wait for others to share its request. Not on a FIFO queue, where the next message of the
   * group waits for it.
   * @default 0
   */
  readonly deleteLingerMs?: number | undefined;
}

/** A `deleteLingerMs` for deletes that nobody waits for: ten in a request cost as much as one. */
export const DELETE_LINGER_MS = 20;

const REQUESTS_IN_FLIGHT = 2;

/** The messages of one queue that were received and are not deleted: keeps them hidden, deletes them, releases them. */
export class InFlightMessages {
  readonly queueUrl: string;
  readonly #options: InFlightOptions;
  readonly #lingerMs: number;
  /** Twice within the timeout, so that one lost request does not make a message reappear. */
  readonly #extendEveryMs: number;
  readonly #deletes: Batcher<string, EntryOutcome>;
  readonly #changes: Batcher<VisibilityChange, EntryOutcome>;
  /** Receipt handle → when its visibility is to be extended next, by `timing`. */
  readonly #hidden = new Map<string, number>();
  /**
   * Deletes and releases that have not settled, those between two tries included, and requests of any kind that wait or
   * are in flight.
   */
  readonly #settling = new PendingCount();
  #timer: NodeJS.Timeout | undefined;
  /** Deletes that wait for each other. */
  readonly #lingering: (() => void)[] = [];
  #lingerTimer: NodeJS.Timeout | undefined;

  constructor(options: InFlightOptions) {
    const { api, queueUrl, visibilityTimeoutSeconds, deleteLingerMs = 0 } = options;
    this.queueUrl = queueUrl;
    this.#options = options;
    this.#lingerMs = isFifoQueue(queueUrl) ? 0 : deleteLingerMs;
    this.#extendEveryMs = (visibilityTimeoutSeconds * 1000) / 2;
    const limits = { maxEntries: MAX_BATCH_ENTRIES, maxInFlight: REQUESTS_IN_FLIGHT };
    this.#deletes = new Batcher({ ...limits, flush: (handles) => api.deleteMessages(queueUrl, handles) });
    this.#changes = new Batcher({ ...limits, flush: (changes) => api.changeVisibility(queueUrl, changes) });
  }

  /** Extends the visibility timeout of a message until it is deleted, released or left to expire. */
  keepHidden(receiptHandle: string): void {
    this.#hidden.set(receiptHandle, this.#options.timing.now() + this.#extendEveryMs);
    this.#timer ??= setInterval(() => this.#extendDue(), Math.min(this.#extendEveryMs / 2, 5_000)).unref();
  }

  /** Resolves when SQS has deleted the message, or when that was given up. */
  async delete(receiptHandle: string): Promise<void> {
    this.#hidden.delete(receiptHandle);
    this.#settling.begin();
    if (this.#lingerMs > 0) await this.#linger();
    await this.#settle('DeleteMessageBatch', this.#deletes, receiptHandle);
    this.#settling.end();
  }

  /** Ends the message's visibility timeout after `delaySeconds`, so that SQS delivers it again. */
  async release(receiptHandle: string, delaySeconds: number): Promise<void> {
    this.#hidden.delete(receiptHandle);
    this.#settling.begin();
    await this.#settle('ChangeMessageVisibilityBatch', this.#changes, { receiptHandle, timeoutSeconds: delaySeconds });
    this.#settling.end();
  }

  /** Extends the visibility of a message no further: SQS delivers it again when its timeout ends. */
  letExpire(receiptHandle: string): void {
    this.#hidden.delete(receiptHandle);
  }

  /** Extends nothing further. */
  stop(): void {
    this.#hidden.clear();
    this.#stopTimerIfIdle();
  }

  /** Resolves when no delete and no visibility change is pending. Deletes that linger leave now. */
  async idle(): Promise<void> {
    this.#endLinger();
    await this.#settling.idle();
    this.#stopTimerIfIdle();
  }

  /** Not with each message that leaves: while messages come and go, one timer serves them all. */
  #stopTimerIfIdle(): void {
    if (this.#hidden.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Resolves when the deletes that wait fill a request, or the first of them has waited for long enough. */
  #linger(): Promise<void> {
    return new Promise((resolve) => {
      this.#lingering.push(resolve);
      if (this.#lingering.length === MAX_BATCH_ENTRIES) this.#endLinger();
      else this.#lingerTimer ??= setTimeout(this.#endLinger, this.#lingerMs);
    });
  }

  readonly #endLinger = (): void => {
    clearTimeout(this.#lingerTimer);
    this.#lingerTimer = undefined;
    for (const resolve of this.#lingering.splice(0)) resolve();
  };

  #extendDue(): void {
    this.#stopTimerIfIdle();
    const now = this.#options.timing.now();
    for (const [receiptHandle, due] of this.#hidden) {
      if (due > now) continue;
      this.#hidden.set(receiptHandle, now + this.#extendEveryMs);
      const change = { receiptHandle, timeoutSeconds: this.#options.visibilityTimeoutSeconds };
      // Once the message is deleted or released, one more try would only hide it again, and its failure is no news.
      const wanted = () => this.#hidden.has(receiptHandle);
      void this.#settle('ChangeMessageVisibilityBatch', this.#changes, change, wanted);
    }
  }

  /**
   * Never rejects: what is given up goes to `onGivenUp`.
   * @param wanted whether it is still to be done
   * @default it is
   */
  async #settle<Entry>(operation: string, batcher: Batcher<Entry, EntryOutcome>, entry: Entry, wanted?: () => boolean): Promise<void> {
    const { timing, onGivenUp } = this.#options;
    const attempt = async () => {
      if (wanted?.() === false) return;
      this.#settling.begin();
      const outcome = await batcher.add(entry).finally(() => this.#settling.end());
      if (!outcome.ok) throw new SqsRequestError(operation, outcome.sqsCode, outcome.transient);
    };
    try {
      await retry(attempt, { ...SETTLE_RETRIES, timing, isTransient: isTransientRequest });
    } catch (error) {
      if (wanted?.() !== false) report(onGivenUp, error);
    }
  }
}

/** Messages that were received and not deleted yet: a poller's, or the records of an invocation. */
export type HeldMessages = Pick<InFlightMessages, 'queueUrl' | 'delete' | 'release' | 'letExpire'>;

function isTransientRequest(error: unknown): boolean {
  return error instanceof SqsRequestError && error.transient;
}

function report(onGivenUp: (error: unknown) => void, error: unknown): void {
  try {
    onGivenUp(error);
  } catch {
    // A listener that throws must not become an unhandled rejection, and there is nobody left to tell.
  }
}
