import type { SQSRecord } from 'aws-lambda';
import { ConfigurationError, QueueNotFoundError, SqsRequestError, StepFailedError } from '../errors.ts';
import { errorFields, type LogFields, type Logger } from '../logger.ts';
import { subjectOfKey } from '../payloads/payload-key.ts';
import type { PayloadStore } from '../payloads/payload-store.ts';
import { decodePointer } from '../payloads/pointer.ts';
import { type RetryOptions, retry } from '../sqs/retry.ts';
import type { OutgoingMessage } from '../sqs/sqs-api.ts';
import { readTask } from '../step/read-task.ts';
import { encodeAnswer, inGroupOfRun } from '../step/send-answer.ts';
import { STEP_FORMAT } from '../step/step-tasks.ts';
import type { AnyResult, TaskFormat, TaskIds } from '../step/task-format.ts';
import { TURN_FORMAT } from '../step/turn-tasks.ts';
import { monotonicMs } from '../time.ts';
import { isFifoQueue } from '../topology/fifo-queues.ts';
import { isOfTurn } from '../wire/turn-shape.ts';
import type { Invocation } from './batch-handler.ts';
import { SendTimes } from './measured-times.ts';
import { PARKED_ATTRIBUTE, parkedMessage, parkedQueueNames } from './parked-message.ts';
import { byMessageGroup, taskMessage } from './records.ts';
import type { SqsQueues } from './worker-queues.ts';

export interface DeadLettersOptions {
  readonly concurrency: number;
  readonly marker: string | undefined;
  readonly payloadStore: PayloadStore | undefined;
  readonly logger: Logger;
}

/** What is known of a dead letter. */
interface Letter {
  readonly reason: string;
  /** Whose task it is, where that can be read: then the engine is told. */
  readonly ids: TaskIds | undefined;
  /** What the engine is told. */
  readonly failed: (ids: TaskIds) => OutgoingMessage;
  /** Routing token of the task. */
  readonly token?: string | undefined;
}

/** Ids remembered by one process: more than the letters it can meet again before they are parked for good. */
const REMEMBERED = 10_000;

/**
 * Parks dead letters, then tells the engine. A process that comes upon a letter again does only what is still to be
 * done.
 */
export class DeadLetters {
  readonly #options: DeadLettersOptions;
  readonly #sendTimes = new SendTimes();
  readonly #parked = new Set<string>();
  readonly #told = new Set<string>();

  constructor(options: DeadLettersOptions) {
    this.#options = options;
  }

  reserveMs(availableMs: number): number {
    return this.#sendTimes.reserveMs(availableMs, this.#options.concurrency);
  }

  async run(records: readonly SQSRecord[], invocation: Invocation, queues: SqsQueues): Promise<void> {
    const groups = byMessageGroup(records);
    const handleGroups = async () => {
      for (let group = groups.shift(); group !== undefined; group = groups.shift()) {
        // In order within a message group, in the parked queue too.
        for (const record of group) if (!(await this.#handle(record, invocation, queues))) break;
      }
    };
    await Promise.all(Array.from({ length: Math.min(this.#options.concurrency, groups.length) }, handleGroups));
  }

  /** Gives whether the record is settled. */
  async #handle(record: SQSRecord, { batch, deadline, lambda }: Invocation, queues: SqsQueues): Promise<boolean> {
    if (deadline.reached) return false;
    batch.start();
    let fields: LogFields = { messageId: record.messageId, queue: record.eventSourceARN, requestId: lambda.awsRequestId };
    try {
      const letter = await (isTurn(record) ? this.#read(record, TURN_FORMAT, fields) : this.#read(record, STEP_FORMAT, fields));
      if (letter === undefined) return false;
      const { ids, reason } = letter;
      fields = { ...fields, runId: ids?.runId, stepId: ids?.stepId };
      const parked = await this.#park(record, letter, fields, queues, deadline.remainingMs());
      if (ids !== undefined) await this.#tell(record, letter.failed(ids), ids.runId, queues, deadline.remainingMs());
      if (!parked) return false;
      batch.settle(record);
      this.#options.logger.warn('dead letter parked', { ...fields, reason, resultSent: ids !== undefined });
      return true;
    } catch (error) {
      batch.sendFailed(error);
      this.#options.logger.error('dead letter not handled; it will be redelivered', { ...fields, ...errorFields(error) });
      return false;
    }
  }

  /** Undefined where its body is stored, the store does not answer now, and nothing else tells whose it is. */
  async #read<Task extends { readonly group: string }, Result extends AnyResult>(
    record: SQSRecord,
    format: TaskFormat<Task, Result>,
    fields: LogFields,
  ): Promise<Letter | undefined> {
    const { marker, payloadStore, logger } = this.#options;
    const read = await readTask(taskMessage(record, marker), format, payloadStore);
    const failed = (ids: TaskIds) => {
      const error = new StepFailedError('dead_letter', deadLetter(format.noun), true);
      return encodeAnswer(format.failed(ids, error), { format, marker, payloadStore: undefined }).message;
    };
    switch (read.kind) {
      case 'task':
        return { reason: USED_UP, ids: format.idsOf(read.task), failed, token: read.task.group };
      case 'unmarked':
        return { reason: `not a ${format.name}: no attribute "${marker}"`, ids: undefined, failed };
      case 'malformed':
        return { reason: `not a ${format.name}: ${read.problem}`, ids: undefined, failed };
      case 'lost':
        return { reason: `its stored body cannot be read: ${read.error.reason}`, ids: read.ids, failed };
      case 'unavailable':
        // Its receives are used up, and here they can be once more: a run whose step nobody answers for waits for ever.
        if (read.ids !== undefined) return { reason: USED_UP, ids: read.ids, failed };
        logger.error('the body of a dead letter cannot be read now; it will be redelivered', { ...fields, ...errorFields(read.error) });
        return undefined;
    }
  }

  /**
   * Gives whether the letter is parked. Where it never will be by us (no such queue, no right), the redrive policy of
   * the dead-letter queue parks it as it is, after some more deliveries: the engine need not wait for that.
   */
  async #park(record: SQSRecord, { reason, ids, token }: Letter, fields: LogFields, queues: SqsQueues, leftMs: number): Promise<boolean> {
    if (this.#parked.has(record.messageId)) return true;
    const message = parkedMessage(record, { reason, resultSent: ids !== undefined });
    if (message.attributes?.[PARKED_ATTRIBUTE] === undefined) {
      this.#options.logger.warn('dead letter has no room for a note; parked as it is', fields);
    }
    try {
      const queueNames = parkedQueueNames(record.eventSourceARN, token);
      await this.#send(async () => queues.send(await queues.urlOf(queueNames), message), queues.retries(leftMs));
    } catch (error) {
      if (!isDefinite(error)) throw error;
      this.#options.logger.error('dead letter cannot be parked; left to the redrive policy', { ...fields, ...errorFields(error) });
      return false;
    }
    remember(this.#parked, record.messageId);
    return true;
  }

  async #tell(record: SQSRecord, message: OutgoingMessage, runId: string, queues: SqsQueues, leftMs: number): Promise<void> {
    if (this.#told.has(record.messageId)) return;
    const inGroup = inGroupOfRun(message, runId);
    await this.#send(async () => {
      const queueUrl = await queues.url();
      await queues.send(queueUrl, isFifoQueue(queueUrl) ? inGroup : message);
    }, queues.retries(leftMs));
    remember(this.#told, record.messageId);
  }

  async #send(send: () => Promise<void>, retries: RetryOptions): Promise<void> {
    const startedAt = monotonicMs();
    try {
      await retry(send, retries);
    } finally {
      this.#sendTimes.add(monotonicMs() - startedAt);
    }
  }
}

const USED_UP = 'receive count used up';

function deadLetter(noun: string): string {
  return `the task was delivered as often as its queue allows, and no result came of it; the ${noun} may or may not have run. The task is parked`;
}

/** By its body, or by the key of its stored body. */
function isTurn({ body }: SQSRecord): boolean {
  const pointer = decodePointer(body);
  return pointer === undefined ? isOfTurn(body) : subjectOfKey(pointer.key)?.kind === TURN_FORMAT.stored.task;
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
