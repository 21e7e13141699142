import type { SQSRecord } from 'aws-lambda';
import { ConfigurationError, QueueNotFoundError, SqsRequestError, StepFailedError } from '../errors.ts';
import { errorFields, type LogFields, type Logger } from '../logger.ts';
import type { PayloadStore } from '../payloads/payload-store.ts';
import type { OutgoingMessage } from '../sqs/sqs-api.ts';
import { monotonicMs } from '../time.ts';
import { MAX_MESSAGE_BYTES } from '../wire/limits.ts';
import type { StepResult } from '../wire/step-result.ts';
import { encodeMessage } from './deliver-result.ts';
import { FlushCost } from './flush-cost.ts';
import { linesOf } from './lines.ts';
import { PARKED_ATTRIBUTE, parkedMessage, parkedQueueNames } from './parked-message.ts';
import { readRecord, type TaskIds } from './read-record.ts';
import type { SqsChannel } from './result-channel.ts';
import type { Invocation } from './run-records.ts';

export interface DeadLettersOptions {
  readonly channel: SqsChannel;
  readonly concurrency: number;
  readonly marker: string | undefined;
  readonly payloadStore: PayloadStore | undefined;
  readonly logger: Logger;
}

/** What is known of a dead letter. */
interface Letter {
  readonly reason: string;
  /** Whose task it is, where that can be read: then the engine is told. */
  readonly task: TaskIds | undefined;
  /** Routing token of the task. */
  readonly token?: string | undefined;
}

/** Ids remembered by one process: more than the letters it can meet again before they are parked for good. */
const REMEMBERED = 10_000;

/** Parks dead letters, then tells the engine. A process that comes upon a letter again does only what is still to be done. */
export class DeadLetters {
  readonly #options: DeadLettersOptions;
  readonly #costs = new FlushCost();
  readonly #parked = new Set<string>();
  readonly #told = new Set<string>();

  constructor(options: DeadLettersOptions) {
    this.#options = options;
  }

  reserveMs(availableMs: number): number {
    return this.#costs.reserveMs(availableMs, this.#options.concurrency);
  }

  async run(records: readonly SQSRecord[], invocation: Invocation): Promise<void> {
    const lines = linesOf(records);
    let next = 0;
    const lane = async () => {
      for (let line = lines[next]; line !== undefined; line = lines[next]) {
        next += 1;
        // In order within a message group, in the parked queue too.
        for (const record of line) if (!(await this.#record(record, invocation))) break;
      }
    };
    await Promise.all(Array.from({ length: Math.min(this.#options.concurrency, lines.length) }, lane));
  }

  /** Gives whether the record is done with. */
  async #record(record: SQSRecord, { batch, deadline, lambda }: Invocation): Promise<boolean> {
    if (deadline.reached) return false;
    batch.start();
    let ids: LogFields = { messageId: record.messageId, queue: record.eventSourceARN, requestId: lambda.awsRequestId };
    try {
      const letter = await this.#read(record, ids);
      if (letter === undefined) return false;
      ids = { ...ids, runId: letter.task?.runId, stepId: letter.task?.stepId };
      const parked = await this.#park(record, letter, ids, deadline.remainingMs());
      if (letter.task !== undefined) await this.#tell(record, letter.task, deadline.remainingMs());
      if (!parked) return false;
      batch.settle(record);
      this.#options.logger.warn('dead letter parked', { ...ids, reason: letter.reason, resultSent: letter.task !== undefined });
      return true;
    } catch (error) {
      batch.sendFailed(error);
      this.#options.logger.error('dead letter not handled; it will be delivered again', { ...ids, ...errorFields(error) });
      return false;
    }
  }

  /** Undefined where its body is stored, the store does not answer now, and nothing else tells whose it is. */
  async #read(record: SQSRecord, ids: LogFields): Promise<Letter | undefined> {
    const { marker, payloadStore, logger } = this.#options;
    if (marker !== undefined && record.messageAttributes?.[marker] === undefined) {
      return { reason: `not a RemoteTask: no attribute "${marker}"`, task: undefined };
    }
    const read = await readRecord(record, payloadStore);
    switch (read.kind) {
      case 'task':
        return { reason: 'receive count used up', task: read.task, token: read.task.group };
      case 'malformed':
        return { reason: `not a RemoteTask: ${read.problem}`, task: undefined };
      case 'unreadable':
        return { reason: `its stored body cannot be read: ${read.error.reason}`, task: read.ids };
      case 'unavailable':
        // Its receives are used up, and here they can be once more: a run whose step nobody answers for waits for ever.
        if (read.ids !== undefined) return { reason: 'receive count used up', task: read.ids };
        logger.error('the body of a dead letter cannot be read now; it will be delivered again', { ...ids, ...errorFields(read.error) });
        return undefined;
    }
  }

  /**
   * Gives whether the letter is parked. Where it never will be by us (no such queue, no right), the redrive policy of the dead-letter
   * queue parks it as it is, after some more deliveries: the engine need not wait for that.
   */
  async #park(record: SQSRecord, { reason, task, token }: Letter, ids: LogFields, timeLeftMs: number): Promise<boolean> {
    if (this.#parked.has(record.messageId)) return true;
    const message = parkedMessage(record, { reason, resultSent: task !== undefined });
    if (message.attributes?.[PARKED_ATTRIBUTE] === undefined) {
      this.#options.logger.warn('dead letter has no room for a note; parked as it is', ids);
    }
    try {
      const queueNames = parkedQueueNames(record.eventSourceARN, token);
      await this.#timed(() => this.#options.channel.sendTo(queueNames, message, timeLeftMs));
    } catch (error) {
      if (!isDefinite(error)) throw error;
      this.#options.logger.error('dead letter cannot be parked; left to the redrive policy', { ...ids, ...errorFields(error) });
      return false;
    }
    remember(this.#parked, record.messageId);
    return true;
  }

  async #tell(record: SQSRecord, task: TaskIds, timeLeftMs: number): Promise<void> {
    if (this.#told.has(record.messageId)) return;
    const message = deadLetterMessage(task, this.#options.marker);
    await this.#timed(() => this.#options.channel.send(message, timeLeftMs, task.runId));
    remember(this.#told, record.messageId);
  }

  async #timed(send: () => Promise<void>): Promise<void> {
    const startedAt = monotonicMs();
    try {
      await send();
    } finally {
      this.#costs.record(monotonicMs() - startedAt);
    }
  }
}

function deadLetterMessage({ runId, seq, stepId }: TaskIds, marker: string | undefined): OutgoingMessage {
  const { message, code, retryable } = new StepFailedError(
    'dead_letter',
    'the task was delivered as often as its queue allows, and no result came of it; the step may or may not have run. The task is parked',
    true,
  );
  const result: StepResult = { runId, seq, stepId, status: 'failed', error: { message, code, retryable } };
  return encodeMessage(result, marker, MAX_MESSAGE_BYTES).message;
}

/** Whether the same send would be refused again. */
function isDefinite(error: unknown): boolean {
  if (error instanceof QueueNotFoundError || error instanceof ConfigurationError) return true;
  return error instanceof SqsRequestError && !error.transient;
}

function remember(ids: Set<string>, id: string): void {
  ids.add(id);
  const [oldest] = ids;
  if (ids.size > REMEMBERED && oldest !== undefined) ids.delete(oldest);
}
