import type { SQSBatchResponse, SQSRecord } from 'aws-lambda';
import { ResultsNotAcceptedError } from '../errors.ts';

/**
 * What became of each record of one invocation. The response is computed from here and from nowhere else, so that no
 * middleware can lose a record or report one that is settled.
 */
export class Batch {
  /** Copied: a middleware may cut the event's array or write into its records. */
  #messageIds: readonly string[] | undefined;
  /** Records that are done with: the engine has their result. */
  readonly #settled = new Set<string>();
  #sendFailure: { readonly error: unknown } | undefined;
  #started = 0;

  /**
   * What the event held, or, where it held no records, what a middleware has made of it. Only the first call counts.
   */
  holds(records: readonly SQSRecord[]): void {
    this.#messageIds ??= records.map(({ messageId }) => messageId);
  }

  /** Whether there were any records, be it none. */
  get isKnown(): boolean {
    return this.#messageIds !== undefined;
  }

  /** Messages; one that came twice is one. */
  get size(): number {
    return new Set(this.#messageIds).size;
  }

  get settled(): number {
    return this.#settled.size;
  }

  /** Records that were begun; 0 after a middleware threw or answered before the handler. */
  get started(): number {
    return this.#started;
  }

  start(): void {
    this.#started += 1;
  }

  /** SQS has accepted the record's result. */
  settle(record: SQSRecord): void {
    this.#settled.add(record.messageId);
  }

  isSettled(record: SQSRecord): boolean {
    return this.#settled.has(record.messageId);
  }

  /** SQS has not accepted the record's result. */
  sendFailed(error: unknown): void {
    this.#sendFailure = { error };
  }

  /**
   * What Lambda is told: every record that is not settled is to be delivered again.
   * @throws ResultsNotAcceptedError when nothing was settled because results could not be sent: Lambda's pollers slow
   * down only for an invocation that fails, not for one that reports every record.
   */
  response(): SQSBatchResponse {
    const unsettled = [...new Set(this.#messageIds)].filter((messageId) => !this.#settled.has(messageId));
    if (this.#sendFailure !== undefined && unsettled.length === this.size) {
      throw new ResultsNotAcceptedError(this.size, { cause: this.#sendFailure.error });
    }
    return { batchItemFailures: unsettled.map((itemIdentifier) => ({ itemIdentifier })) };
  }
}
