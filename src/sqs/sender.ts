import { SqsRequestError } from '../errors.ts';
import { isFifoQueue } from '../topology/fifo-queues.ts';
import { MAX_BATCH_ENTRIES, MAX_MESSAGE_BYTES, messageBytes } from '../wire/limits.ts';
import { Batcher } from './batcher.ts';
import { MessageGroups } from './message-groups.ts';
import type { EntryOutcome, OutgoingMessage, ResultSender } from './sqs-api.ts';

/** Requests in flight to one queue: the second hides the first one's round trip; a third only makes batches smaller. */
const SENDS_IN_FLIGHT = 2;

interface Outbox {
  readonly batcher: Batcher<OutgoingMessage, EntryOutcome>;
  /** Of a FIFO queue. */
  readonly groups: MessageGroups | undefined;
}

/**
 * Sends messages through one group-committing batcher per queue.
 *
 * On a FIFO queue a message leaves only when SQS has answered for the one before it of its group: together in one
 * request, or in two at once, a later one could be accepted where the earlier was not. Groups do not wait for each
 * other.
 */
export class Sender {
  readonly #api: Pick<ResultSender, 'sendMessages'>;
  readonly #outboxes = new Map<string, Outbox>();

  constructor(api: Pick<ResultSender, 'sendMessages'>) {
    this.#api = api;
  }

  /**
   * Resolves once SQS has accepted the message.
   * @throws SqsRequestError with `transient` saying whether another try makes sense; QueueNotFoundError.
   */
  async send(queueUrl: string, message: OutgoingMessage): Promise<void> {
    const { batcher, groups } = this.#outboxes.get(queueUrl) ?? this.#open(queueUrl);
    const { body, attributes, groupId } = message;
    const bytes = messageBytes(body, attributes);
    const inGroup = groups !== undefined && groupId !== undefined;
    const outcome = await (inGroup ? groups.run([groupId], () => batcher.add(message, bytes)) : batcher.add(message, bytes));
    if (!outcome.ok) throw new SqsRequestError('SendMessageBatch', outcome.sqsCode, outcome.transient);
  }

  #open(queueUrl: string): Outbox {
    const batcher = new Batcher<OutgoingMessage, EntryOutcome>({
      flush: (messages) => this.#sendBatch(queueUrl, messages),
      maxEntries: MAX_BATCH_ENTRIES,
      maxBytes: MAX_MESSAGE_BYTES,
      maxInFlight: SENDS_IN_FLIGHT,
    });
    const outbox = { batcher, groups: isFifoQueue(queueUrl) ? new MessageGroups() : undefined };
    this.#outboxes.set(queueUrl, outbox);
    return outbox;
  }

  async #sendBatch(queueUrl: string, messages: readonly OutgoingMessage[]): Promise<readonly EntryOutcome[]> {
    try {
      return await this.#api.sendMessages(queueUrl, messages);
    } catch (error) {
      if (messages.length === 1 || !(error instanceof SqsRequestError) || error.transient) throw error;
      // A definite refusal of all may be one message's doing (a character that SQS does not take): only that one is to
      // fail.
      return (await Promise.all(messages.map((message) => this.#sendBatch(queueUrl, [message]).catch(outcomesOf)))).flat();
    }
  }
}

/** A refused request of one message, as the outcome of that message. */
function outcomesOf(error: unknown): readonly EntryOutcome[] {
  if (!(error instanceof SqsRequestError)) throw error;
  return [{ ok: false, sqsCode: error.sqsCode, transient: error.transient }];
}
