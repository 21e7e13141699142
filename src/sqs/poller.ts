import { MAX_BATCH_ENTRIES } from '../wire/limits.ts';
import { backoffMs, type Timing } from './backoff.ts';
import type { ReceivedMessage, ReceiveOptions, SqsApi } from './sqs-api.ts';

export interface PollerOptions {
  readonly api: Pick<SqsApi, 'receiveMessages'>;
  /** Asked before every receive: a look-up that failed is tried again, one that worked is cached by its owner. */
  readonly queueUrl: () => Promise<string>;
  readonly receive: Omit<ReceiveOptions, 'maxMessages'>;
  /** Long polls at the same time when there is a backlog. When idle there is one. */
  readonly maxReceivers: number;
  /** How many more messages may be held now. Receiving waits while it is 0; call {@link Poller.wake} when that changes. */
  readonly room: () => number;
  readonly onMessages: (messages: readonly ReceivedMessage[], queueUrl: string) => void;
  /** A receive or look-up failed and is tried again in `retryInMs`. `queueUrl` is undefined where the look-up failed. */
  readonly onError: (error: unknown, retryInMs: number, queueUrl: string | undefined) => void;
  readonly timing: Timing;
}

const BACKOFF = { firstMs: 100, maxMs: 10_000 };

/**
 * Long-polls one queue for as long as it runs. No failure ends it: it backs off and goes on, so it recovers when SQS does.
 *
 * A full receive means a backlog and adds a receiver, an empty one removes it.
 */
export class Poller {
  readonly #options: PollerOptions;
  readonly #stopped = new AbortController();
  readonly #receivers = new Set<Promise<void>>();
  /** Messages that receives in flight may bring. */
  #claimed = 0;
  #wakeUp: (() => void)[] = [];

  constructor(options: PollerOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#receivers.size === 0 && !this.#stopped.signal.aborted) this.#addReceiver();
  }

  /** Look at `room` again. */
  wake(): void {
    for (const resolve of this.#wakeUp.splice(0)) resolve();
  }

  /** Ends long polls at once. What SQS had handed out to them reappears after its visibility timeout. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.wake();
    await Promise.all(this.#receivers);
  }

  #addReceiver(): void {
    const receiver = this.#receive().finally(() => this.#receivers.delete(receiver));
    this.#receivers.add(receiver);
  }

  async #receive(): Promise<void> {
    const { signal } = this.#stopped;
    const { timing } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      const maxMessages = Math.min(MAX_BATCH_ENTRIES, this.#options.room() - this.#claimed);
      if (maxMessages <= 0) {
        if (this.#receivers.size > 1) return;
        await this.#untilWoken();
        continue;
      }
      let queueUrl: string | undefined;
      this.#claimed += maxMessages;
      try {
        queueUrl = await this.#options.queueUrl();
        if (signal.aborted) return;
        const messages = await this.#options.api.receiveMessages(queueUrl, { ...this.#options.receive, maxMessages }, signal);
        this.#claimed -= maxMessages;
        failures = 0;
        if (messages.length > 0) this.#options.onMessages(messages, queueUrl);
        if (messages.length === MAX_BATCH_ENTRIES && this.#receivers.size < this.#options.maxReceivers && !signal.aborted)
          this.#addReceiver();
        if (messages.length === 0 && this.#receivers.size > 1) return;
      } catch (error) {
        this.#claimed -= maxMessages;
        if (signal.aborted) return;
        failures += 1;
        const retryInMs = backoffMs(failures, BACKOFF, timing.random);
        this.#options.onError(error, retryInMs, queueUrl);
        await timing.sleep(retryInMs, signal);
      }
    }
  }

  #untilWoken(): Promise<void> {
    return new Promise((resolve) => this.#wakeUp.push(resolve));
  }
}
