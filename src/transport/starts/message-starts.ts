import type { StartRunMessage } from '@dudousxd/nestjs-durable-core';
import { InvalidMessageError } from '../../errors.ts';
import { errorFields, type Logger } from '../../logger.ts';
import { readBody } from '../../payloads/message-body.ts';
import type { PayloadStore } from '../../payloads/payload-store.ts';
import { MessageGroups } from '../../sqs/message-groups.ts';
import { DEFAULT_TENANT, decodeStartRun, type StartRun } from '../../wire/start-run.ts';

/**
 * The handler that an engine gives to `onStartRun`: creates the run, or finds that there is one of its id. It gets no
 * `tenant` where the run belongs to the engine's own namespace.
 */
export type StartHandler = (start: StartRunMessage) => Promise<void>;

export interface MessageStartsOptions {
  readonly handler: StartHandler;
  readonly payloadStore?: PayloadStore | undefined;
  /** Told of every start that is not carried out. */
  readonly onError: (error: unknown) => void;
  readonly logger: Logger;
}

/**
 * A {@link StartHandler} as engines really have it. The type of core asks for a tenant, which the engine does not need.
 */
interface Starter {
  start(start: StartRun): Promise<void>;
}

/** One message of the start queue, whoever received it: a poller, or Lambda as a record. */
export interface StartDelivery {
  readonly messageId: string;
  readonly body: string;
  /** SQS's count of deliveries, from 1. */
  readonly receiveCount: number;
}

/**
 * What became of a start. Only `started` lets the message be deleted: the run is in the store. `unreadable` will be so
 * at every delivery; `refused` may be accepted by another engine, or later. Both are delivered again until SQS moves
 * them to the dead-letter queue.
 */
export type StartOutcome = 'started' | 'unreadable' | 'refused';

/**
 * Starts runs of one engine by message: each of them once, however often its message is delivered. A poller and an
 * event source mapping both go by this.
 *
 * The engine creates no second run of an id that its store holds. Where the sender named no run, the id of the message
 * serves: a redelivered message keeps it.
 */
export class MessageStarts {
  readonly #options: MessageStartsOptions;
  readonly #engine: Starter;
  /** The engine looks for the run, then creates it: two deliveries of one start at once would both find none. */
  readonly #runs = new MessageGroups();

  constructor(options: MessageStartsOptions) {
    this.#options = options;
    this.#engine = { start: options.handler };
  }

  /** Never rejects: why a start was not carried out is logged, and told to `onError`. */
  async take(delivery: StartDelivery): Promise<StartOutcome> {
    let start: StartRun;
    let runId: string;
    try {
      start = decodeStartRun(await readBody(delivery.body, this.#options.payloadStore));
      runId = start.runId ?? delivery.messageId;
    } catch (error) {
      return this.#unread(error, delivery);
    }
    try {
      await this.#runs.run([runId], () => this.#engine.start({ ...inOwnNamespace(start), runId }));
      return 'started';
    } catch (error) {
      const { workflow } = start;
      const text = isUnknownWorkflow(error, workflow)
        ? 'no workflow of that name is registered with this engine; its start is redelivered, and parked if that lasts'
        : 'the engine refuses a start; it is redelivered, and parked if that lasts';
      this.#tell(error, delivery, text, { runId, workflow });
      return 'refused';
    }
  }

  /** A stored body may be readable later; what is no start never becomes one. */
  #unread(error: unknown, delivery: StartDelivery): StartOutcome {
    if (error instanceof InvalidMessageError) {
      this.#tell(error, delivery, 'message is not a StartRunMessage; left for the dead-letter queue', {});
      return 'unreadable';
    }
    this.#tell(error, delivery, 'the stored body of a start cannot be read; it is redelivered, and parked if that lasts', {});
    return 'refused';
  }

  #tell(error: unknown, { messageId, receiveCount }: StartDelivery, text: string, ids: { runId?: string; workflow?: string }): void {
    this.#options.logger.error(text, { ...ids, messageId, receiveCount, ...errorFields(error) });
    this.#options.onError(error);
  }
}

/**
 * The engine takes an absent tenant for its own namespace. `default` is no other one: it is what a sender writes who
 * knows of none, while the queue it sends to may be that of a namespace.
 */
function inOwnNamespace(start: StartRun): StartRun {
  const { tenant, ...rest } = start;
  return tenant === undefined || tenant === '' || tenant === DEFAULT_TENANT ? rest : start;
}

/**
 * Known by its text alone: the engine has no class for it. Any other text may quote the input, so no other is looked
 * at.
 */
function isUnknownWorkflow(error: unknown, workflow: string): boolean {
  return error instanceof Error && error.message === `workflow ${workflow} is not registered`;
}
