import { SqsRequestError } from '../errors.ts';
import { MAX_BATCH_ENTRIES, MAX_MESSAGE_BYTES, messageBytes } from '../wire/limits.ts';
import { Batcher } from './batcher.ts';
import type { EntryOutcome, OutgoingMessage, ResultSender } from './sqs-api.ts';

/** Requests in flight to one standard queue: the second hides the first one's round trip; a third only makes batches smaller. */
const SENDS_IN_FLIGHT = 2;

/** Sends messages through one group-committing batcher per queue. */
export class Sender {
  readonly #api: Pick<ResultSender, 'sendMessages'>;
  readonly #batchers = new Map<string, Batcher<OutgoingMessage, EntryOutcome>>();

  constructor(api: Pick<ResultSender, 'sendMessages'>) {
    this.#api = api;
  }

  /**
   * Resolves once SQS has accepted the message.
   * @throws SqsRequestError with `passing` saying whether another try makes sense; QueueNotFoundError.
   */
  async send(queueUrl: string, message: OutgoingMessage): Promise<void> {
    const outcome = await this.#batcher(queueUrl).add(message, messageBytes(message.body, message.attributes));
    if (!outcome.ok) throw new SqsRequestError('SendMessageBatch', outcome.sqsCode, outcome.passing);
  }

  /** Resolves when nothing is left to send. */
  async idle(): Promise<void> {
    await Promise.all([...this.#batchers.values()].map((batcher) => batcher.idle()));
  }

  #batcher(queueUrl: string): Batcher<OutgoingMessage, EntryOutcome> {
    let batcher = this.#batchers.get(queueUrl);
    if (batcher === undefined) {
      batcher = new Batcher({
        flush: (messages) => this.#api.sendMessages(queueUrl, messages),
        maxEntries: MAX_BATCH_ENTRIES,
        maxBytes: MAX_MESSAGE_BYTES,
        // A second request could overtake the first: on a FIFO queue that would change the order.
        maxInFlight: queueUrl.endsWith('.fifo') ? 1 : SENDS_IN_FLIGHT,
      });
      this.#batchers.set(queueUrl, batcher);
    }
    return batcher;
  }
}
