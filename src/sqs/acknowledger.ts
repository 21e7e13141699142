import { SqsRequestError } from '../errors.ts';
import type { Timing } from '../time.ts';
import { isFifoQueue } from '../topology/fifo-queues.ts';
import { MAX_BATCH_ENTRIES } from '../wire/limits.ts';
import { Batcher } from './batcher.ts';
import { Outstanding } from './outstanding.ts';
import { type RetryOptions, retry } from './retry.ts';
import type { EntryOutcome, SqsApi, VisibilityChange } from './sqs-api.ts';

export interface AcknowledgerOptions {
  readonly api: Pick<SqsApi, 'deleteMessages' | 'changeVisibility'>;
  readonly queueUrl: string;
  /** What each receive asked for; held messages are extended by as much again. */
  readonly visibilityTimeoutSeconds: number;
  /** A delete or an extension was given up. Nothing is lost: SQS delivers the message again. */
  readonly onError: (error: unknown) => void;
  readonly timing: Timing;
  /**
   * How long a delete may wait for others to share its request. Not on a FIFO queue, where the next message of the group waits for it.
   * @default 0
   */
  readonly deleteLingerMs?: number | undefined;
}

/** A `deleteLingerMs` for deletes that nobody waits for: ten in a request cost as much as one. */
export const DELETE_LINGER_MS = 20;

const BACKOFF = { firstMs: 100, maxMs: 5_000 };
const GIVE_UP_AFTER_MS = 30_000;
const REQUESTS_IN_FLIGHT = 2;

/** Says to one queue what became of its messages: still in work, done, or back to the queue. */
export class Acknowledger {
  readonly #options: AcknowledgerOptions;
  readonly #deletes: Batcher<string, EntryOutcome>;
  readonly #changes: Batcher<VisibilityChange, EntryOutcome>;
  /** Receipt handle → when its visibility is to be extended next, by `timing`. */
  readonly #held = new Map<string, number>();
  /** Deletes and releases that have not settled, those between two tries included. */
  readonly #settling = new Outstanding();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: AcknowledgerOptions) {
    const { api, queueUrl, deleteLingerMs = 0 } = options;
    this.#options = options;
    this.#deletes = new Batcher({
      flush: (handles) => api.deleteMessages(queueUrl, handles),
      maxEntries: MAX_BATCH_ENTRIES,
      maxInFlight: REQUESTS_IN_FLIGHT,
      lingerMs: isFifoQueue(queueUrl) ? 0 : deleteLingerMs,
    });
    this.#changes = new Batcher({
      flush: (changes) => api.changeVisibility(queueUrl, changes),
      maxEntries: MAX_BATCH_ENTRIES,
      maxInFlight: REQUESTS_IN_FLIGHT,
    });
  }

  /** Keeps a message hidden until it is deleted or released. */
  hold(receiptHandle: string): void {
    this.#held.set(receiptHandle, this.#options.timing.now() + this.#extendEveryMs);
    this.#timer ??= setInterval(() => this.#extendDue(), Math.min(this.#extendEveryMs / 2, 5_000)).unref();
  }

  /** The message is done with. Resolves when SQS has deleted it, or when that was given up. */
  delete(receiptHandle: string): Promise<void> {
    this.#letGo(receiptHandle);
    return this.#settle('DeleteMessageBatch', () => this.#deletes.add(receiptHandle));
  }

  /** The message goes back to the queue and is delivered again after `delaySeconds`. */
  release(receiptHandle: string, delaySeconds: number): Promise<void> {
    this.#letGo(receiptHandle);
    const change = { receiptHandle, timeoutSeconds: delaySeconds };
    return this.#settle('ChangeMessageVisibilityBatch', () => this.#changes.add(change));
  }

  /** Stops extending a message and leaves it be: it is delivered again when its visibility ends. */
  forget(receiptHandle: string): void {
    this.#letGo(receiptHandle);
  }

  /** Stops extending what is still held. */
  stop(): void {
    this.#held.clear();
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Resolves when no delete and no change waits. */
  async idle(): Promise<void> {
    this.#deletes.hurry();
    await this.#settling.idle();
    await Promise.all([this.#deletes.idle(), this.#changes.idle()]);
  }

  /** Twice within the timeout, so that one lost request does not make the message reappear. */
  get #extendEveryMs(): number {
    return (this.#options.visibilityTimeoutSeconds * 1000) / 2;
  }

  #letGo(receiptHandle: string): void {
    this.#held.delete(receiptHandle);
    if (this.#held.size === 0) this.stop();
  }

  #extendDue(): void {
    const now = this.#options.timing.now();
    for (const [receiptHandle, due] of this.#held) {
      if (due > now) continue;
      this.#held.set(receiptHandle, now + this.#extendEveryMs);
      const change = { receiptHandle, timeoutSeconds: this.#options.visibilityTimeoutSeconds };
      // Once the message is deleted or released, one more try would only hide it again, and its failure is no news.
      const wanted = () => this.#held.has(receiptHandle);
      void this.#tryUntilDone('ChangeMessageVisibilityBatch', () => this.#changes.add(change), wanted);
    }
  }

  async #settle(operation: string, add: () => Promise<EntryOutcome>): Promise<void> {
    this.#settling.begin();
    await this.#tryUntilDone(operation, add, always);
    this.#settling.end();
  }

  /** Never rejects: what is given up goes to `onError`. */
  async #tryUntilDone(operation: string, add: () => Promise<EntryOutcome>, wanted: () => boolean): Promise<void> {
    const options: RetryOptions = {
      backoff: BACKOFF,
      timing: this.#options.timing,
      timeoutMs: GIVE_UP_AFTER_MS,
      isTransient: (error) => error instanceof SqsRequestError && error.transient,
    };
    try {
      await retry(async () => {
        if (!wanted()) return;
        const outcome = await add();
        if (!outcome.ok) throw new SqsRequestError(operation, outcome.sqsCode, outcome.transient);
      }, options);
    } catch (error) {
      if (wanted()) this.#report(error);
    }
  }

  #report(error: unknown): void {
    try {
      this.#options.onError(error);
    } catch {
      // A listener that throws must not become an unhandled rejection, and there is nobody left to tell.
    }
  }
}

function always(): boolean {
  return true;
}
