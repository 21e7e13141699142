import { nextTurn, type Timing } from '../time.ts';
import { MAX_BATCH_ENTRIES } from '../wire/limits.ts';
import { InFlightMessages } from './in-flight-messages.ts';
import { PollingPace } from './polling-pace.ts';
import { backoffMs, RECEIVE_BACKOFF } from './retry.ts';
import type { ReceivedMessage, ReceiveOptions, SqsApi } from './sqs-api.ts';

export interface PollerOptions {
  readonly api: Pick<SqsApi, 'receiveMessages' | 'deleteMessages' | 'changeVisibility'>;
  /** Asked before every receive: a look-up that failed is tried again, one that worked is cached by its owner. */
  readonly queueUrl: () => Promise<string>;
  readonly receive: Omit<ReceiveOptions, 'maxMessages'> & { readonly visibilityTimeoutSeconds: number };
  /** How long a delete may wait for others to share its request. @default 0 */
  readonly deleteLingerMs?: number | undefined;
  /** Long polls at the same time when there is a backlog. When idle there is one. */
  readonly maxReceivers: number;
  /**
   * How many more messages may be held now. Receiving waits while it is 0; call {@link Poller.wake} when that changes.
   */
  readonly room: () => number;
  /**
   * Called with what one receive brought. The messages stay hidden until each is deleted, released or left to expire.
   */
  readonly onMessages: (messages: readonly ReceivedMessage[], inFlight: InFlightMessages) => void;
  /**
   * A receive or look-up failed and is tried again in `retryInMs`. `queueUrl` is undefined where the look-up failed.
   */
  readonly onError: (error: unknown, retryInMs: number, queueUrl: string | undefined) => void;
  /** A delete or a visibility change was given up. Nothing is lost: SQS delivers the message again. */
  readonly onGivenUp: (error: unknown, queueUrl: string) => void;
  readonly timing: Timing;
}

const STOP_GRACE_MS = 500;

/**
 * Long-polls one queue for as long as it runs. No failure ends it: it backs off and goes on, so it recovers when SQS
 * does.
 *
 * Full receives mean a backlog and add a receiver, an empty one removes it.
 */
export class Poller {
  readonly #options: PollerOptions;
  /** No further receive begins. */
  readonly #stopped = new AbortController();
  /** Receives in flight are cut. */
  readonly #cut = new AbortController();
  readonly #receivers = new Set<Promise<void>>();
  readonly #pace = new PollingPace();
  /**
   * Receivers that go on. Not the size of the set: a receiver leaves that a microtask after it has decided to end, and
   * two that decided within the same turn would each take the other for the one that stays.
   */
  #active = 0;
  /** Messages that receives in flight may bring. */
  #claimed = 0;
  #wakeUp: (() => void)[] = [];
  #inFlight: InFlightMessages | undefined;

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

  /**
   * Begins no further receive and gives those in flight a moment to end, since SQS may be answering one: what it had
   * handed to a poll that is cut reappears only after its visibility timeout. Under load polls end by themselves, so a
   * deploy hides nothing.
   */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.wake();
    const ended = new AbortController();
    const cut = this.#options.timing.sleep(STOP_GRACE_MS, ended.signal).then(() => this.#cut.abort());
    await Promise.all(this.#receivers);
    ended.abort();
    await cut;
  }

  /** Resolves when SQS has been told of every message that was deleted or released. */
  async settled(): Promise<void> {
    await this.#inFlight?.idle();
  }

  /** Keeps nothing hidden any longer: SQS delivers again what is still in flight. */
  abandon(): void {
    this.#inFlight?.stop();
  }

  #addReceiver(): void {
    this.#active += 1;
    const receiver = this.#receive().finally(() => this.#receivers.delete(receiver));
    this.#receivers.add(receiver);
  }

  #grow(): void {
    if (this.#active >= this.#options.maxReceivers || this.#stopped.signal.aborted) return;
    this.#pace.added();
    this.#addReceiver();
  }

  async #receive(): Promise<void> {
    const { signal } = this.#stopped;
    const { timing } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      let queueUrl: string | undefined;
      try {
        queueUrl = await this.#options.queueUrl();
        if (signal.aborted) return;
        const maxMessages = Math.min(MAX_BATCH_ENTRIES, this.#options.room() - this.#claimed);
        if (maxMessages <= 0) {
          if (this.#leaves()) return;
          await this.#untilWoken();
          continue;
        }
        const startedAt = timing.now();
        const messages = await this.#receiveOnce(queueUrl, maxMessages);
        failures = 0;
        if (messages.length > 0) {
          this.#received(messages, queueUrl);
          // What comes of them (the next task of a run) goes out before the next poll.
          await nextTurn();
        }
        if (messages.length === 0) {
          const pauseMs = this.#pace.empty(this.#active === 1, timing.now() - startedAt);
          if (this.#leaves()) return;
          if (pauseMs > 0) await timing.sleep(pauseMs, signal);
        } else if (this.#pace.brought(messages.length === MAX_BATCH_ENTRIES)) this.#grow();
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        const retryInMs = backoffMs(failures, RECEIVE_BACKOFF, timing.random);
        this.#report(error, retryInMs, queueUrl);
        await timing.sleep(retryInMs, signal);
      }
    }
  }

  async #receiveOnce(queueUrl: string, maxMessages: number): Promise<readonly ReceivedMessage[]> {
    const { api, receive } = this.#options;
    this.#claimed += maxMessages;
    try {
      return await api.receiveMessages(queueUrl, { ...receive, maxMessages }, this.#cut.signal);
    } finally {
      this.#claimed -= maxMessages;
    }
  }

  #received(messages: readonly ReceivedMessage[], queueUrl: string): void {
    // A queue that was deleted and made anew may come back under another URL.
    if (this.#inFlight?.queueUrl !== queueUrl) {
      const { api, receive, deleteLingerMs, timing, onGivenUp } = this.#options;
      const { visibilityTimeoutSeconds } = receive;
      const givenUp = (error: unknown) => onGivenUp(error, queueUrl);
      this.#inFlight = new InFlightMessages({ api, queueUrl, visibilityTimeoutSeconds, deleteLingerMs, timing, onGivenUp: givenUp });
    }
    for (const { receiptHandle } of messages) this.#inFlight.keepHidden(receiptHandle);
    this.#options.onMessages(messages, this.#inFlight);
  }

  /** Whether the calling receiver may end: the last one never does. */
  #leaves(): boolean {
    if (this.#active <= 1) return false;
    this.#active -= 1;
    return true;
  }

  #report(error: unknown, retryInMs: number, queueUrl: string | undefined): void {
    try {
      this.#options.onError(error, retryInMs, queueUrl);
    } catch {
      // A listener that throws must not end the loop, and there is nobody left to tell.
    }
  }

  #untilWoken(): Promise<void> {
    return new Promise((resolve) => this.#wakeUp.push(resolve));
  }
}
